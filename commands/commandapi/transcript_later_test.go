package commandapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatledger/chatledger/eventstore/memory"
)

// As of a position, a chat reads the same for ever: a day and a thousand events later,
// in each format, byte for byte.
func TestTranscriptADayLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, memory.New(time.Now))
		var path string
		for i := range 20 {
			path = s.receive(fmt.Sprintf("message %d", i))
		}
		head, err := s.store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, format := range []string{"json", "csv", "txt", "html"} {
			for _, more := range []string{"", "&notes=false&events=false", "&tz=Asia/Tokyo"} {
				asked = append(asked, fmt.Sprintf("%s/transcript?as_of=%d&format=%s%s", path, head.Position, format, more))
			}
		}
		before := map[string]string{}
		for _, a := range asked {
			before[a] = s.must(200, auditor, "GET", a, "").Body.String()
		}
		<-time.After(24 * time.Hour)
		for i := range 1_000 {
			s.receive(fmt.Sprintf("later %d", i))
		}
		for _, a := range asked {
			if now := s.must(200, auditor, "GET", a, "").Body.String(); now != before[a] || len(now) == 0 {
				t.Errorf("%s: %d bytes, and %d a day later", a, len(before[a]), len(now))
			}
		}
	})
}
