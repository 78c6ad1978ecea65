package graphtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
)

// Media is a file that the server hands out.
type Media struct {
	ID       string // of what was uploaded
	Body     []byte
	MIMEType string
	SHA256   string // what is said of it, if that is not true
	Size     int    // the same
	URL      string // the same: where it is said to be
}

// PutMedia makes the server hand out a file, as if a customer had sent it.
func (s *Server) PutMedia(id string, m Media) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.media == nil {
		s.media = map[string]Media{}
	}
	s.media[id] = m
}

// NextMedia sets how the next requests for files are answered, one after the other:
// those that ask where one is, and those that fetch it there.
func (s *Server) NextMedia(b ...Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaScript = append(s.mediaScript, b...)
}

// MediaRequests returns what was asked for files: "where" and "get", with the id.
func (s *Server) MediaRequests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mediaAsked)
}

// attachments is where the files are.
const attachments = "/whatsapp_business/attachments/"

func (s *Server) lookMedia(what, id string) (m Media, known bool, b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaAsked = append(s.mediaAsked, what+" "+id)
	if len(s.mediaScript) > 0 {
		b, s.mediaScript = s.mediaScript[0], s.mediaScript[1:]
	}
	if m, known = s.media[id]; !known && s.config.Media != nil {
		m, known = s.config.Media(id)
	}
	return m, known, b
}

func (s *Server) trusts(w http.ResponseWriter, r *http.Request) bool {
	if s.config.AccessToken != "" && r.Header.Get("Authorization") != "Bearer "+s.config.AccessToken {
		fail(w, http.StatusUnauthorized, 190, "Invalid OAuth access token - Cannot parse access token", "")
		return false
	}
	return true
}

// whereMedia answers GET /{media-id} as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
// has it.
func (s *Server) whereMedia(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("media")
	m, known, b := s.lookMedia("where", id)
	if !s.trusts(w, r) {
		return
	}
	if !known && b == (Behaviour{}) {
		write(w, http.StatusBadRequest, map[string]any{"error": map[string]any{
			"message": "Unsupported get request. Object with ID '" + id + "' does not exist, cannot be loaded due to missing permissions, or does not support this operation",
			"type":    "GraphMethodException", "code": 100, "error_subcode": 33, "fbtrace_id": "A1b2C3d4E5",
		}})
		return
	}
	sum := sha256.Sum256(m.Body)
	s.answer(w, r, b, map[string]any{
		"messaging_product": "whatsapp", "id": id, "mime_type": m.MIMEType,
		"url":       cmp.Or(m.URL, "http://"+r.Host+attachments+"?mid="+id+"&ext=1&hash=x"),
		"sha256":    cmp.Or(m.SHA256, hex.EncodeToString(sum[:])),
		"file_size": cmp.Or(m.Size, len(m.Body)),
	})
}

func (s *Server) getMedia(w http.ResponseWriter, r *http.Request) {
	m, known, b := s.lookMedia("get", r.URL.Query().Get("mid"))
	switch {
	case !s.trusts(w, r):
	case b.Status != 0 || b.Delay > 0 || b.Hang:
		s.answer(w, r, b, nil)
	case !known:
		http.NotFound(w, r)
	case b.Cut: // in the middle
		w.Header().Set("Content-Length", strconv.Itoa(len(m.Body)))
		_, _ = w.Write(m.Body[:len(m.Body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("Content-Type", m.MIMEType)
		_, _ = w.Write(m.Body) // the client may be gone
	}
}
