// Package ids derives the ids of things that have an id outside already, so
// that whoever sees the same thing twice falls on the same stream and event.
//
// An id once derived is in the log for ever: the recipes never change.
package ids

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// space is the namespace of every id derived here (RFC 9562, version 5).
var space = uuid.MustParse("7b0d3c0e-5f5a-4d57-9d0c-0a5c2f7f7d11")

// derive is unambiguous: each part is preceded by its length.
func derive(kind string, parts ...string) uuid.UUID {
	var b strings.Builder
	b.WriteString(kind)
	for _, p := range parts {
		b.WriteString(" " + strconv.Itoa(len(p)) + ":" + p)
	}
	return uuid.NewSHA1(space, []byte(b.String()))
}

// Chat names the one thread between a customer and a channel.
func Chat(workspace, channel, customer string) string {
	return derive("chat", workspace, channel, customer).String()
}

// Message names a message that has a provider's id.
func Message(chat, provider string) string { return derive("message", chat, provider).String() }

// Order names an order that was placed by a message.
func Order(chat, provider string) string { return derive("order", chat, provider).String() }

// ExternalOrder names an order that has an id in another system of the workspace.
func ExternalOrder(workspace, external string) string {
	return derive("external order", workspace, external).String()
}

// Contact names a person by what is unique about them in a workspace: the digits of
// a phone number with its country code, which a customer's id in a channel may be,
// another id of a customer, or an e-mail address. Case does not count.
func Contact(workspace, unique string) string {
	return derive("contact", workspace, strings.ToLower(strings.TrimSpace(unique))).String()
}

// Channel names an account at a provider.
func Channel(workspace, kind, account string) string {
	return derive("channel", workspace, kind, account).String()
}

// Agent names a member of staff by what is unique about them: an e-mail
// address, or a name where there is none. Case does not count.
func Agent(workspace, unique string) string {
	return derive("agent", workspace, strings.ToLower(strings.TrimSpace(unique))).String()
}

// QuickReplies names the stream of the quick replies of a place, such as
// "team.billing".
func QuickReplies(workspace, place string) string {
	return derive("quickreplies", workspace, place).String()
}

// SavedViews names the stream of the saved views of a place, such as "shared".
func SavedViews(workspace, place string) string {
	return derive("savedviews", workspace, place).String()
}

// Template names a message template of a channel, by its name and language.
func Template(workspace, channel, name, language string) string {
	return derive("template", workspace, channel, name, language).String()
}

// CampaignMessage names the one message of a campaign to a customer.
func CampaignMessage(campaign, customer string) string {
	return derive("campaign message", campaign, customer).String()
}

// Webhook names a delivery by its bytes, so that a repeated one is the same.
func Webhook(channel string, body []byte) string {
	sum := sha256.Sum256(body)
	return derive("webhook", channel, hex.EncodeToString(sum[:])).String()
}

// Command names a command by what is unique about it: the caller's idempotency
// key with its scope, or the event that led to it.
func Command(scope string, parts ...string) uuid.UUID {
	return derive("command", append([]string{scope}, parts...)...)
}

// Of names a thing that a command makes: repeats of the command make the same.
func Of(command uuid.UUID, kind string) string { return derive(kind, command.String()).String() }

// Event names the n-th event of a command.
func Event(command uuid.UUID, n int) uuid.UUID {
	return derive("event", command.String(), strconv.Itoa(n))
}

// Slug turns a name into an id that people can read and type: letters and
// digits of any script, lower case, other runs as one dash.
func Slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(strings.TrimSpace(name)) {
		if !isWord(r) {
			dash = b.Len() > 0
			continue
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
