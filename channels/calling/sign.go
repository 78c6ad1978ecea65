package calling

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks (https://www.standardwebhooks.com), whose
// scheme both directions use: there are libraries for it in most languages.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// tolerance is how far the clocks of both sides may be apart, and for how long a
// request can be shown again.
const tolerance = 5 * time.Minute

const maxMessageID = 200

// key returns the bytes of a secret: those behind "whsec_" are base64.
func key(secret string) []byte {
	if b, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(b); err == nil {
			return raw
		}
	}
	return []byte(secret)
}

func signature(secret, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key(secret))
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Sign sets the headers that prove who sent a body, and when. id names the
// message: a repeat has the same.
func Sign(h http.Header, secret, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerID, id)
	h.Set(headerTimestamp, timestamp)
	h.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(signature(secret, id, timestamp, body)))
}

// Verify returns the id of a message that was signed with the secret not longer
// than five minutes ago, and false for any other.
func Verify(h http.Header, secret string, now time.Time, body []byte) (id string, ok bool) {
	id, timestamp := h.Get(headerID), h.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || secret == "" || id == "" || len(id) > maxMessageID || strings.Contains(id, ".") {
		return "", false
	}
	if age := now.Unix() - seconds; age > int64(tolerance/time.Second) || -age > int64(tolerance/time.Second) {
		return "", false
	}
	want := signature(secret, id, timestamp, body)
	for s := range strings.FieldsSeq(h.Get(headerSignature)) {
		sum, v1 := strings.CutPrefix(s, "v1,")
		if got, err := base64.StdEncoding.DecodeString(sum); v1 && err == nil && hmac.Equal(got, want) {
			return id, true
		}
	}
	return "", false
}
