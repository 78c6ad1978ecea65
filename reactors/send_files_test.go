package reactors_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/reactors"
)

// Files of all kinds reach the provider byte for byte, then the message that names
// them, as the provider documents it.
func TestFilesOnTheirWay(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	for i, tc := range []struct {
		file             chat.FileUse
		content, caption string
		payload          string // where ID is the provider's
	}{
		{chat.FileUse{Kind: media.Image, MIMEType: "image/jpeg"}, jpeg, "look", `"type":"image","image":{"id":"ID","caption":"look"},`},
		{chat.FileUse{Kind: media.Video, MIMEType: "video/mp4"}, "\x00\x00\x00\x18ftypmp42 a film", "", `"type":"video","video":{"id":"ID"},`},
		{chat.FileUse{Kind: media.Audio, MIMEType: "audio/ogg"}, "OggS\x00 a sound", "", `"type":"audio","audio":{"id":"ID"},`},
		{chat.FileUse{Kind: media.Document, MIMEType: "application/pdf", Filename: "bill.pdf"}, "%PDF-1.7", "the bill", `"type":"document","document":{"id":"ID","caption":"the bill","filename":"bill.pdf"},`},
		{chat.FileUse{Kind: media.Sticker, MIMEType: "image/webp"}, "RIFF\x00\x00\x00\x00WEBPVP8 ", "", `"type":"sticker","sticker":{"id":"ID"},`},
	} {
		m := s.attach(id, tc.file, tc.content, tc.caption)
		until(t, "it was accepted", func() bool { return s.outbound(id, m).ProviderID != "" })
		taken, asked := s.graph.Taken(), s.graph.MediaRequests()
		if len(taken) != i+1 || len(asked) != i+1 || asked[i] != "upload "+phoneID {
			t.Fatalf("%s: %d taken after %v", tc.file.Kind, len(taken), asked)
		}
		up, ok := s.graph.Uploaded(taken[i])
		if !ok || string(up.Body) != tc.content || up.MIMEType != tc.file.MIMEType {
			t.Errorf("%s: uploaded %q as %s", tc.file.Kind, up.Body, up.MIMEType)
		}
		if want := strings.ReplaceAll(tc.payload, "ID", up.ID); !strings.Contains(taken[i].Payload, want) || taken[i].To != "15551230001" {
			t.Errorf("sent %s, want %s", taken[i].Payload, want)
		}
	}
}

// What happens to an upload happens to its message: it is tried again, or fails, and
// no message names a file that did not arrive.
func TestAFileThatCannotBeUploaded(t *testing.T) {
	down := graphtest.Behaviour{Status: 503}
	for _, tc := range []struct {
		name    string
		script  []graphtest.Behaviour
		lost    bool // the file is not kept any more
		uploads int
		want    chat.DeliveryError // none: it is sent
	}{
		{name: "down for a moment", script: []graphtest.Behaviour{down, {Status: 429, Code: 130429, Title: "Rate limit hit"}}, uploads: 3},
		{name: "cut off", script: []graphtest.Behaviour{{Cut: true}}, uploads: 2},
		{name: "down", script: []graphtest.Behaviour{down, down, down}, uploads: 3, want: chat.DeliveryError{Code: whatsapp.CodeUnreachable, Title: "WhatsApp could not be reached", Details: "No answer of use in several tries. The message was not sent."}},
		{name: "refused", script: []graphtest.Behaviour{{Status: 400, Code: 131053, Title: "Media upload error", Details: "unsupported codec"}}, uploads: 1, want: chat.DeliveryError{Code: 131053, Title: "Media upload error", Details: "unsupported codec"}},
		{name: "lost", lost: true, want: chat.DeliveryError{Code: whatsapp.CodeNoFile, Title: "The file is missing", Details: "It was kept, but is not there any more. The message was not sent."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.graph.NextMedia(tc.script...)
			id := s.open("15551230001")
			m := s.attach(id, chat.FileUse{Kind: media.Image, MIMEType: "image/jpeg"}, jpeg, "look")
			if tc.lost {
				for b, err := range s.files.List(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					if err := s.files.Delete(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
			}
			next := s.answer(id, "and this")
			s.start()
			until(t, "the next was accepted", func() bool { return s.outbound(id, next).ProviderID != "" })
			if n := len(s.graph.MediaRequests()); n != tc.uploads {
				t.Errorf("%d uploads, want %d", n, tc.uploads)
			}
			if got := s.failure(id, m); got != tc.want {
				t.Errorf("failed with %+v, want %+v", got, tc.want)
			}
			if accepted := s.outbound(id, m).ProviderID != ""; accepted != (tc.want == chat.DeliveryError{}) || len(s.graph.Taken()) != map[bool]int{true: 2, false: 1}[accepted] {
				t.Errorf("accepted: %v, taken: %d", accepted, len(s.graph.Taken()))
			}
		})
	}
}

// A message that may have been sent is neither sent again nor is its file uploaded for
// that, whether or not the file is still there.
func TestNoFileForAMessageThatMayHaveBeenSent(t *testing.T) {
	s := newShop(t)
	id := s.open("15551230001")
	m := s.attach(id, chat.FileUse{Kind: media.Image, MIMEType: "image/jpeg"}, jpeg, "look")
	if err := s.files.Delete(t.Context(), blob.Blob{Workspace: workspace, SHA256: last[chat.MessageQueued](s).Media.SHA256, PutAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	head, err := s.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.accounts.BeginAttempt(t.Context(), reactors.SendMessagesName, head.Position); err != nil {
		t.Fatal(err)
	}
	s.start()
	until(t, "it failed", func() bool { return s.outbound(id, m).State == chat.Failed })
	if got := s.failure(id, m); got.Code != whatsapp.CodeOutcomeUnknown || len(s.graph.MediaRequests()) != 0 || s.graph.Requests() != 0 {
		t.Errorf("%+v, asked for %v", got, s.graph.MediaRequests())
	}
}

// The file in a template's header is uploaded like that of a message.
func TestAFileInAHeader(t *testing.T) {
	s := newShop(t)
	s.start()
	id := s.open("15551230001")
	first := s.attach(id, chat.FileUse{Kind: media.Document, MIMEType: "application/pdf"}, "%PDF-1.7", "")
	until(t, "the first was accepted", func() bool { return s.outbound(id, first).ProviderID != "" })
	s.done(s.commands.Chats.Send(t.Context(), someone, id, chat.SendMessage{Message: "m1", By: "ana", At: time.Now(), Outgoing: chat.Outgoing{
		Text: "Hello!", Template: &chat.TemplateUse{ID: "t", Name: "bill", Language: "en", Category: "utility", Header: &chat.TemplateHeader{
			Kind: "document", File: &chat.FileUse{ID: last[chat.FileUploaded](s).File.ID, Filename: "bill.pdf"},
		}},
	}}))
	until(t, "it was accepted", func() bool { return s.outbound(id, "m1").ProviderID != "" })
	taken := s.graph.Taken()
	if len(taken) != 2 || len(s.graph.MediaRequests()) != 2 || !strings.Contains(taken[1].Payload, `{"type":"header","parameters":[{"type":"document","document":{"id":"`) ||
		!strings.Contains(taken[1].Payload, `","filename":"bill.pdf"}}]}`) {
		t.Errorf("taken %+v", taken)
	}
}
