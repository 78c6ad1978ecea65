package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
)

// sticker is a picture of one dot, as WebP.
const sticker = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

// invoice is a page with a line of text.
const invoice = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj
4 0 obj<</Length 42>>stream
BT /F 18 Tf 30 45 Td (An invoice) Tj ET
endstream endobj
trailer<</Root 1 0 R>>
`

// File returns what the provider hands out under an id that the traffic made up,
// and its type: a picture that can be looked at, a page, and what begins like a
// sound or a film.
func File(id string) (content []byte, mimeType string, ok bool) {
	kind, number, _ := strings.Cut(id, "-")
	switch kind {
	case "image":
		return picture(number), "image/jpeg", true
	case "audio":
		return fmt.Appendf([]byte("OggS\x00\x02"), "%064s", number), "audio/ogg; codecs=opus", true
	case "document":
		return []byte(invoice), "application/pdf", true
	case "video":
		return fmt.Appendf([]byte("\x00\x00\x00\x18ftypmp42"), "%064s", number), "video/mp4", true
	case "sticker":
		b, err := base64.StdEncoding.DecodeString(sticker)
		return b, "image/webp", err == nil
	}
	return nil, "", false
}

// picture returns a picture of the colours that a name has.
func picture(name string) []byte {
	const side = 64
	h := fnv.New32()
	_, _ = h.Write([]byte(name))
	hue := h.Sum32()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			m.Set(x, y, color.RGBA{byte(hue) + byte(2*x), byte(hue >> 8), byte(hue>>16) + byte(2*y), 255})
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, m, nil) // a buffer takes everything
	return out.Bytes()
}
