// Package media says which files may be sent and received, how large they may be,
// and as what they are shown.
//
// It is pure: no I/O, no clock, no randomness.
package media

import (
	"bytes"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
)

// Kind is what a file is in a conversation.
type Kind string

// Kinds, as in chat.Content.
const (
	Image    Kind = "image"
	Audio    Kind = "audio"
	Voice    Kind = "voice"
	Video    Kind = "video"
	Document Kind = "document"
	Sticker  Kind = "sticker"
)

// Sizes in bytes, as WhatsApp has them:
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
const (
	MaxImage    = 5 << 20
	MaxAudio    = 16 << 20
	MaxVideo    = 16 << 20
	MaxDocument = 100 << 20
	MaxSticker  = 500 << 10 // one that moves
	MaxStill    = 100 << 10 // a sticker that does not
	MaxAny      = MaxDocument
)

// Opaque is the type of what is handed out as bytes only.
const Opaque = "application/octet-stream"

// Refusals.
var (
	ErrKind     = fault.Bad("kind", "media.kind", "the kind is image, audio, video, document or sticker")
	ErrType     = fault.Bad("file", "media.type", "files of this type are not taken")
	ErrTooLarge = fault.Bad("file", "media.too_large", "the file is too large")
	ErrEmpty    = fault.Bad("file", "media.empty", "the file is empty")
)

// Max returns how many bytes a file of the kind may have; 0 for no kind at all.
func (k Kind) Max() int64 {
	switch k {
	case Image:
		return MaxImage
	case Audio, Voice:
		return MaxAudio
	case Video:
		return MaxVideo
	case Document:
		return MaxDocument
	case Sticker:
		return MaxSticker
	}
	return 0
}

// TooLarge returns the refusal of a file that is larger than Max.
func (k Kind) TooLarge() error {
	if k.Max() < 1<<20 {
		return ErrTooLarge.With(fmt.Sprintf("the file is larger than the %d KB that a file of kind %s may have", k.Max()>>10, k))
	}
	return ErrTooLarge.With(fmt.Sprintf("the file is larger than the %d MB that a file of kind %s may have", k.Max()>>20, k))
}

// form is what the first bytes of a file show it to be.
type form string

const (
	jpeg   form = "jpeg"
	png    form = "png"
	webp   form = "webp"
	ogg    form = "ogg"
	mp4    form = "mp4" // ISO base media: MP4, M4A and 3GP
	mpeg   form = "mpeg"
	aac    form = "aac"
	amr    form = "amr"
	pdf    form = "pdf"
	zip    form = "zip"
	ole    form = "ole" // of Microsoft Office before 2007
	plain  form = "plain"
	script form = "script" // what a browser might run
	other  form = "other"
)

const office = "application/vnd.openxmlformats-officedocument."

// types are those that WhatsApp documents for each kind, and what files of them
// begin like. image/webp is a sticker's; customers' apps send it as image, too.
var types = map[Kind]map[string][]form{
	Image: {"image/jpeg": {jpeg}, "image/png": {png}, "image/webp": {webp}},
	Audio: {
		"audio/aac": {aac, mp4}, "audio/amr": {amr}, "audio/mpeg": {mpeg}, "audio/mp4": {mp4, aac}, "audio/ogg": {ogg},
	},
	Video:   {"video/mp4": {mp4}, "video/3gpp": {mp4}, "video/3gp": {mp4}},
	Sticker: {"image/webp": {webp}},
	Document: {
		"text/plain": {plain}, "application/pdf": {pdf},
		"application/msword": {ole}, "application/vnd.ms-excel": {ole}, "application/vnd.ms-powerpoint": {ole},
		office + "wordprocessingml.document": {zip}, office + "spreadsheetml.sheet": {zip}, office + "presentationml.presentation": {zip},
	},
}

// Head is how many bytes of a file Type wants to see.
const Head = 512

// Type returns the type as which a file of the kind may be shown: the one that was
// declared, if it is documented for the kind and head, the first bytes, bear it
// out. A document of any other type is Opaque; an image, a sound or a film that is
// not what it says is refused with ErrType.
func Type(k Kind, declared string, head []byte) (string, error) {
	if k == Voice {
		k = Audio
	}
	known, ok := types[k]
	if !ok {
		return "", ErrKind
	}
	declared, _, err := mime.ParseMediaType(declared)
	if err != nil {
		declared = ""
	}
	seen := look(head)
	if slices.Contains(known[declared], seen) {
		return declared, nil
	}
	if k == Document {
		return Opaque, nil
	}
	return "", ErrType.With("it is no " + string(k) + " of a type that WhatsApp takes")
}

// KindOf returns the kind that a file of a type is sent as, "" if none takes it.
// Files of a type that more than one kind takes are images before stickers.
func KindOf(declared string) Kind {
	declared, _, err := mime.ParseMediaType(declared)
	if err != nil {
		return ""
	}
	for _, k := range []Kind{Image, Audio, Video, Document} {
		if _, ok := types[k][declared]; ok {
			return k
		}
	}
	return ""
}

// Types returns the types that WhatsApp documents for a kind, in no order.
func (k Kind) Types() (all []string) {
	for t := range types[k] {
		all = append(all, t)
	}
	return all
}

// Inline reports whether a browser may show files of a type in a page. What is no
// image, sound or film is to be saved.
func Inline(t string) bool {
	class, _, _ := strings.Cut(t, "/")
	return class == "image" || class == "audio" || class == "video"
}

// extensions are what file names of the types end with.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp",
	"audio/aac": ".aac", "audio/amr": ".amr", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg",
	"video/mp4": ".mp4", "video/3gpp": ".3gp", "video/3gp": ".3gp",
	"text/plain": ".txt", "application/pdf": ".pdf",
	"application/msword": ".doc", "application/vnd.ms-excel": ".xls", "application/vnd.ms-powerpoint": ".ppt",
	office + "wordprocessingml.document": ".docx", office + "spreadsheetml.sheet": ".xlsx", office + "presentationml.presentation": ".pptx",
}

// Extension returns what the name of a file of a type ends with, such as ".jpg".
func Extension(t string) string {
	if e, ok := extensions[t]; ok {
		return e
	}
	return ".bin"
}

// look tells forms by the signatures of
// https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern and those of AAC
// (ADTS), AMR and OLE.
func look(head []byte) form {
	starts := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	at := func(i int, s string) bool { return len(head) >= i && bytes.HasPrefix(head[i:], []byte(s)) }
	switch {
	case starts("\xFF\xD8\xFF"):
		return jpeg
	case starts("\x89PNG\r\n\x1A\n"):
		return png
	case starts("RIFF") && at(8, "WEBPVP"):
		return webp
	case starts("OggS\x00"):
		return ogg
	case at(4, "ftyp"):
		return mp4
	case starts("#!AMR"):
		return amr
	case starts("%PDF-"):
		return pdf
	case starts("PK\x03\x04"):
		return zip
	case starts("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"):
		return ole
	case starts("ID3"):
		return mpeg
	case len(head) > 1 && head[0] == 0xFF && head[1]&0xF6 == 0xF0: // a sync word of layer 0
		return aac
	case len(head) > 1 && head[0] == 0xFF && head[1]&0xE0 == 0xE0 && head[1]&0x06 != 0: // of layer 1 to 3
		return mpeg
	}
	return text(head)
}

// text tells text from what is none, and from what a browser takes for a page.
func text(head []byte) form {
	if bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) }) {
		return other
	}
	first := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), "\t\n\f\r "))
	if bytes.HasPrefix(first, []byte("<")) {
		return script
	}
	return plain
}

// Moves reports whether a sticker moves: whether its WebP header says that there is
// an animation (https://developers.google.com/speed/webp/docs/riff_container).
func Moves(head []byte) bool {
	const flags, animation = 20, 0x02
	return look(head) == webp && len(head) > flags && bytes.HasPrefix(head[12:], []byte("VP8X")) && head[flags]&animation != 0
}
