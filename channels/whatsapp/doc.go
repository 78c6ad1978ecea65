// Package whatsapp connects WhatsApp Business numbers through Meta's Cloud API:
// webhooks come in, texts and the signalling of calls go out.
//
// A webhook is kept as it came before it is answered, and understood later:
// Parse and Translator turn it into commands. The package decides nothing about
// chats and orders, and it never reads a view.
package whatsapp
