package media_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/media"
)

const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

func TestType(t *testing.T) {
	for _, tt := range []struct {
		kind     media.Kind
		declared string
		head     string
		want     string // "" is refused
	}{
		{media.Image, "image/jpeg", "\xFF\xD8\xFF\xE0..JFIF", "image/jpeg"},
		{media.Image, "image/png", "\x89PNG\r\n\x1A\n", "image/png"},
		{media.Image, "image/jpeg", "\x89PNG\r\n\x1A\n", ""},
		{media.Image, "image/jpeg", "<html><script>alert(1)</script>", ""},
		{media.Image, "image/svg+xml", "<svg onload=alert(1)>", ""},
		{media.Image, "text/html", "<html>", ""},
		{media.Image, "", "\xFF\xD8\xFF", ""},
		{media.Sticker, "image/webp", "RIFF1234WEBPVP8 ", "image/webp"},
		{media.Sticker, "image/png", "\x89PNG\r\n\x1A\n", ""},
		{media.Audio, "audio/ogg; codecs=opus", "OggS\x00\x02", "audio/ogg"},
		{media.Voice, "audio/ogg; codecs=opus", "OggS\x00\x02", "audio/ogg"},
		{media.Audio, "audio/mpeg", "ID3\x03", "audio/mpeg"},
		{media.Audio, "audio/mpeg", "\xFF\xFB\x90", "audio/mpeg"},
		{media.Audio, "audio/aac", "\xFF\xF1\x50", "audio/aac"},
		{media.Audio, "audio/amr", "#!AMR\n", "audio/amr"},
		{media.Audio, "audio/mp4", "\x00\x00\x00\x20ftypM4A ", "audio/mp4"},
		{media.Audio, "audio/mpeg", "OggS\x00", ""},
		{media.Video, "video/mp4", "\x00\x00\x00\x20ftypisom", "video/mp4"},
		{media.Video, "video/3gpp", "\x00\x00\x00\x20ftyp3gp4", "video/3gpp"},
		{media.Video, "video/mp4", "MZ\x90", ""},
		{media.Document, "application/pdf", "%PDF-1.7", "application/pdf"},
		{media.Document, "application/pdf", "<html>", media.Opaque},
		{media.Document, "text/html", "<html>", media.Opaque},
		{media.Document, "text/plain", "<script>alert(1)</script>", media.Opaque},
		{media.Document, "text/plain", "\xEF\xBB\xBF \n<!doctype html>", media.Opaque},
		{media.Document, "text/plain", "Grüße", "text/plain"},
		{media.Document, "text/plain; charset=utf-8", "a,b\n", "text/plain"},
		{media.Document, "text/plain", "MZ\x00\x01", media.Opaque},
		{media.Document, docx, "PK\x03\x04", docx},
		{media.Document, "application/msword", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "application/msword"},
		{media.Document, "application/zip", "PK\x03\x04", media.Opaque},
		{media.Document, "image/svg+xml", "<svg>", media.Opaque},
		{media.Document, "", "", media.Opaque},
		{media.Document, "not a type;;", "PK", media.Opaque},
	} {
		got, err := media.Type(tt.kind, tt.declared, []byte(tt.head))
		if got != tt.want || (tt.want == "") != errors.Is(err, media.ErrType) {
			t.Errorf("%s %q %q: %q, %v; want %q", tt.kind, tt.declared, tt.head, got, err, tt.want)
		}
	}
	if _, err := media.Type("gift", "image/png", nil); !errors.Is(err, media.ErrKind) {
		t.Errorf("a kind that is none: %v", err)
	}
}

// Whatever a file says and holds, no page comes of it.
func FuzzType(f *testing.F) {
	f.Add("document", "text/html", []byte("<html>"))
	f.Add("image", "image/jpeg", []byte("\xFF\xD8\xFF"))
	f.Fuzz(func(t *testing.T, kind, declared string, head []byte) {
		got, err := media.Type(media.Kind(kind), declared, head)
		if err != nil {
			return
		}
		if got == media.Opaque {
			return
		}
		if media.Extension(got) == ".bin" || strings.Contains(got, "html") || strings.Contains(got, "xml") && !strings.Contains(got, "openxml") || strings.Contains(got, "script") {
			t.Errorf("%q for %q", got, declared)
		}
	})
}

func TestKinds(t *testing.T) {
	for declared, want := range map[string]media.Kind{
		"image/jpeg": media.Image, "image/webp": media.Image, "audio/ogg; codecs=opus": media.Audio, "video/mp4": media.Video,
		"application/pdf": media.Document, "text/html": "", "application/zip": "", "": "",
	} {
		if got := media.KindOf(declared); got != want {
			t.Errorf("%q is a %q, want %q", declared, got, want)
		}
	}
	for _, k := range []media.Kind{media.Image, media.Audio, media.Video, media.Document, media.Sticker} {
		if k.Max() <= 0 || k.Max() > media.MaxAny || len(k.Types()) == 0 {
			t.Errorf("%s: %d, %v", k, k.Max(), k.Types())
		}
		for _, typ := range k.Types() {
			if media.Extension(typ) == ".bin" || media.Inline(typ) == (k == media.Document) {
				t.Errorf("%s: %q, inline %t", typ, media.Extension(typ), media.Inline(typ))
			}
		}
	}
	if media.Kind("").Max() != 0 || media.Inline(media.Opaque) {
		t.Error("no kind has a size, or bytes are shown")
	}
}

func TestMoves(t *testing.T) {
	still, moving := "RIFF1234WEBPVP8X\x0a\x00\x00\x00\x10...", "RIFF1234WEBPVP8X\x0a\x00\x00\x00\x12..."
	if media.Moves([]byte(still)) || !media.Moves([]byte(moving)) || media.Moves([]byte("RIFF1234WEBPVP8 ")) || media.Moves(nil) {
		t.Error("stickers that move are not told from those that do not")
	}
}
