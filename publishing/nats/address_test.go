package nats_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/publishing/nats"
)

func TestABadAddress(t *testing.T) {
	for address, want := range map[string]string{
		"nats://u:secret@h/":                      "",
		"nats://u:secret@h/a b":                   "subject prefix",
		"nats://u:secret@h/a.*":                   "subject prefix",
		"nats://u:secret@h/a..b":                  "subject prefix",
		"nats://u:secret@h/$JS.x":                 "subject prefix",
		"nats://u:secret@h/a?stream=x.y":          "name of the stream",
		"nats://u:secret@h/a?replicas=6":          "replicas is 1 to 5",
		"nats://u:secret@h/a?max-age=week":        "max-age is a time",
		"nats://u:secret@h/a?max-bytes=-1":        "max-bytes is",
		"nats://u:secret@h/a?duplicates=1":        "duplicates is a time",
		"nats://u:secret@h/a?partitions=3":        `no option "partitions"`,
		"nats://u:secret@h/a?cert=x":              "cert and key",
		"nats://u:secret@h/a?ca=/nowhere/at/all":  "nowhere",
		"nats://u:secret@h/a?creds=/nowhere/here": "nowhere",
	} {
		p, err := nats.Open(nats.Config{Address: address, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			p.Close()
		}
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", address, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: %v tells the password", address, err)
		}
	}
}
