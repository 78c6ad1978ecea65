package graphtest

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/chatledger/chatledger/domain/media"
)

// sentFile is a file in a message, by the id of an upload.
type sentFile struct{ ID, Caption, Filename string }

func (q request) file() *sentFile {
	return map[string]*sentFile{"image": q.Image, "audio": q.Audio, "video": q.Video, "document": q.Document, "sticker": q.Sticker}[q.Type]
}

// checkFile refuses a file that was not uploaded or is of another sort than the message.
func (s *Server) checkFile(q request) *refusal {
	f := q.file()
	s.mu.Lock()
	m, known := s.media[f.ID]
	s.mu.Unlock()
	if _, err := media.Type(media.Kind(q.Type), m.MIMEType, m.Body); !known || err != nil {
		return invalid("no such media for a message of type " + q.Type)
	}
	if f.Caption != "" && (q.Type == "audio" || q.Type == "sticker") || f.Filename != "" && q.Type != "document" {
		return invalid("a caption or filename where there is none")
	}
	return nil
}

// Uploaded returns the file that a message was taken with.
func (s *Server) Uploaded(m Message) (Media, bool) {
	var q request
	if json.Unmarshal([]byte(m.Payload), &q) != nil || q.file() == nil {
		return Media{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.media[q.file().ID]
	return f, ok
}

// upload answers POST /{phone-number-id}/media as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
// has it.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	_, _, b := s.lookMedia("upload", r.PathValue("phone"))
	if !s.trusts(w, r) {
		return
	}
	in, _, err := r.FormFile("file")
	declared := r.FormValue("type")
	if err != nil || r.FormValue("messaging_product") != "whatsapp" || media.KindOf(declared) == "" {
		fail(w, http.StatusBadRequest, 100, "(#100) Invalid parameter", "want messaging_product, type and file as documented")
		return
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return
	}
	id := newID("")
	if b.Status == 0 && !b.Hang && !b.Cut {
		s.PutMedia(id, Media{ID: id, Body: content, MIMEType: declared})
	}
	s.answer(w, r, b, map[string]any{"id": id})
}
