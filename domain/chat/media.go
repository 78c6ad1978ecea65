package chat

import (
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/media"
)

// MediaFile is what decisions need to know of the file of a message.
type MediaFile struct {
	State  MediaState
	Kind   media.Kind
	Source Media     // as the provider told of it
	At     time.Time // when the message was sent
	SHA256 string    // "" unless it is kept
}

// MediaState is how far the file of a message is.
type MediaState string

// States of a file.
const (
	MediaFetching MediaState = "fetching"
	MediaKept     MediaState = "stored"
	MediaLost     MediaState = "failed"
)

// MediaFailureCode says why a file could not be had.
type MediaFailureCode string

// Why a file could not be had.
const (
	MediaGone        MediaFailureCode = "gone"        // the provider has it no more
	MediaTooLarge    MediaFailureCode = "too_large"   // for its kind
	MediaEmpty       MediaFailureCode = "empty"       // it holds nothing
	MediaType        MediaFailureCode = "type"        // it is not what it says it is, or of a type that is not taken
	MediaDamaged     MediaFailureCode = "damaged"     // it is not the file that the provider told of
	MediaRefused     MediaFailureCode = "refused"     // the provider did not hand it out
	MediaElsewhere   MediaFailureCode = "bad_address" // the provider named an address that is not one of its own
	MediaUnreachable MediaFailureCode = "unreachable" // the provider could not be reached, in all tries
	MediaNoChannel   MediaFailureCode = "no_channel"  // the channel was disconnected
)

const (
	maxMediaReason = 1_000 // runes
	hashDigits     = 64    // of a SHA-256 in hex
	hexDigits      = "0123456789abcdef"
)

func (c MediaFailureCode) known() bool {
	switch c {
	case MediaGone, MediaTooLarge, MediaEmpty, MediaType, MediaDamaged, MediaRefused, MediaElsewhere, MediaUnreachable, MediaNoChannel:
		return true
	}
	return false
}

func (s *State) media(m MessageID, to MediaState) {
	f := s.Media[m]
	f.State = to
	put(&s.Media, m, f)
}

// file returns the file of a message.
func (s State) file(m MessageID) (MediaFile, error) {
	if !s.Exists {
		return MediaFile{}, ErrNotFound
	}
	f, known := s.Media[m]
	if !known {
		return f, ErrMediaNotFound
	}
	return f, nil
}

// StoreMedia records that the file of a message is kept. What is kept stays: once
// more is no event. A file that was given up can still come.
type StoreMedia struct {
	MediaStored
}

// Decide implements the command.
func (c StoreMedia) Decide(s State) ([]Event, error) {
	if len(c.SHA256) != hashDigits || strings.Trim(c.SHA256, hexDigits) != "" || c.Size <= 0 || c.MIMEType == "" {
		return nil, ErrMediaHash
	}
	f, err := s.file(c.Message)
	if err != nil || f.State == MediaKept {
		return nil, err
	}
	return []Event{c.MediaStored}, nil
}

// FailMedia records that the file of a message could not be had. What is kept
// stays, and once more is no event.
type FailMedia struct {
	MediaFailed
}

// Decide implements the command.
func (c FailMedia) Decide(s State) ([]Event, error) {
	if !c.Code.known() {
		return nil, ErrMediaCode
	}
	f, err := s.file(c.Message)
	if err != nil || f.State != MediaFetching {
		return nil, err
	}
	e := c.MediaFailed
	if r := []rune(strings.ToValidUTF8(strings.ReplaceAll(e.Reason, "\x00", ""), "")); len(r) > maxMediaReason {
		e.Reason = string(r[:maxMediaReason])
	} else {
		e.Reason = string(r)
	}
	return []Event{e}, nil
}

// RequestMedia asks for another try at a file that could not be had. One that is
// kept, or on its way, is no event.
type RequestMedia struct {
	Message MessageID
	By      AgentID
	At      time.Time
}

// Decide implements the command.
func (c RequestMedia) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	f, err := s.file(c.Message)
	if err != nil || f.State != MediaLost {
		return nil, err
	}
	return []Event{MediaRequested{Message: c.Message, By: c.By, At: c.At}}, nil
}
