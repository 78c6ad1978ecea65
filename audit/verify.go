package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/eventline"
)

// maxBundleLine is how long a line of a bundle may be, in bytes: that of the largest
// event and of its path through the largest tree.
const maxBundleLine = eventline.MaxLen + 64*48 + 1024

// errCut is of a bundle without its end.
var errCut = errors.New("the bundle ends before its last line: it was cut off")

// Verified is what a bundle proves.
type Verified struct {
	Checkpoint Checkpoint
	Chat       string
	AsOf       eventstore.Position
	Streams    []VerifiedStream
}

// VerifiedStream is a stream of a bundle.
type VerifiedStream struct {
	Name   string
	Events int64
}

// VerifyBundle reads a bundle and checks it with a public key: that the checkpoint
// was signed with it, that every event is in the tree of the checkpoint, byte for
// byte, that each stream begins with its first event and leaves none out, and that
// nothing is there that should not be. It calls use with each event that was checked.
//
// An error says what is wrong with which event.
func VerifyBundle(in io.Reader, key string, use func(eventstore.Recorded) error) (v Verified, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxBundleLine)
	lines.Split(wholeLines)
	b := bundleReader{lines: lines, ids: map[uuid.UUID]eventstore.Position{}}
	header, err := b.header(key)
	if err != nil {
		return v, err
	}
	v = Verified{Checkpoint: b.checkpoint, Chat: header.Chat, AsOf: header.AsOf}
	for _, name := range header.Streams {
		v.Streams = append(v.Streams, VerifiedStream{Name: name})
	}
	n := int64(0)
	for {
		text, err := b.next()
		if err != nil {
			return v, err
		}
		if !bytes.HasPrefix(text, []byte(`{"leaf":`)) {
			if err := b.end(text, n); err != nil {
				return v, err
			}
			if v.Streams[0].Events == 0 {
				err = errors.New("the bundle has no event of the chat")
			}
			return v, err
		}
		r, err := b.event(text, v.Streams)
		if err == nil && r.Position > v.AsOf {
			err = fmt.Errorf("%s is behind %d, up to where the bundle says it goes", named(r), v.AsOf)
		}
		if err == nil {
			err = use(r)
		}
		if err != nil {
			return v, fmt.Errorf("line %d: %w", b.line, err)
		}
		n++
	}
}

// ReadCheckpoint returns a checkpoint, or that with which a bundle begins, if the
// key has signed it.
func ReadCheckpoint(in io.Reader, key string) (Checkpoint, error) {
	whole := bufio.NewReader(in)
	if first, err := whole.Peek(1); err == nil && first[0] != '{' {
		text, err := io.ReadAll(io.LimitReader(whole, maxNote+1))
		if err != nil {
			return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
		}
		return OpenCheckpoint(string(text), key)
	}
	lines := bufio.NewScanner(whole)
	lines.Buffer(make([]byte, 0, 64<<10), maxBundleLine)
	lines.Split(wholeLines)
	b := bundleReader{lines: lines}
	_, err := b.header(key)
	return b.checkpoint, err
}

// wholeLines is bufio.ScanLines, but that a last line without its break is none, and
// that a carriage return is a part of the line.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errCut
	}
	return 0, nil, nil
}

type bundleReader struct {
	lines *bufio.Scanner
	line  int

	checkpoint Checkpoint
	stream     int // of the last event
	last       eventstore.Position
	ids        map[uuid.UUID]eventstore.Position
	again      []byte
}

func (b *bundleReader) next() ([]byte, error) {
	if !b.lines.Scan() {
		err := b.lines.Err()
		if err == nil {
			err = errCut
		}
		return nil, fmt.Errorf("behind line %d: %w", b.line, err)
	}
	b.line++
	return b.lines.Bytes(), nil
}

// decode reads a line. What is in a log is there for good, so it is read with the
// leniency of eventstore/codec; fields that nobody checks are not taken.
func decode(text []byte, v any) error {
	err := jsonv2.Unmarshal(text, v, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsonv2.RejectUnknownMembers(true))
	if err != nil {
		return errors.New("it is not what a bundle has there")
	}
	return nil
}

func (b *bundleReader) header(key string) (h bundleHeader, err error) {
	text, err := b.next()
	if err != nil {
		return h, err
	}
	if err := decode(text, &h); err != nil || h.Schema != BundleSchema {
		return h, fmt.Errorf("this is no bundle: its first line does not say %s", BundleSchema)
	}
	if b.again, err = appendValue(b.again[:0], h); err != nil || !bytes.Equal(b.again[:len(b.again)-1], text) {
		return h, errors.New("line 1: it was altered: this is not how a bundle is written")
	}
	if b.checkpoint, err = OpenCheckpoint(h.Checkpoint, key); err != nil {
		return h, fmt.Errorf("line 1: %w", err)
	}
	if h.Key != strings.TrimSpace(key) {
		return h, errors.New("line 1: it names another key")
	}
	if len(h.Streams) == 0 || h.Streams[0] != "chat-"+h.Chat {
		return h, errors.New("line 1: the first stream is not that of the chat")
	}
	return h, nil
}

// event checks the line of an event, and counts it.
func (b *bundleReader) event(text []byte, streams []VerifiedStream) (r eventstore.Recorded, err error) {
	var in struct {
		Leaf  int64            `json:"leaf"`
		Proof tlog.RecordProof `json:"proof"`
		Event jsontext.Value   `json:"event"`
	}
	if err := decode(text, &in); err != nil {
		return r, err
	}
	if r, err = eventline.Parse(in.Event); err != nil {
		return r, fmt.Errorf("the event cannot be read: %w", err)
	}
	// The text counts, not only what it says: an event has one form.
	if b.again, err = appendProven(b.again[:0], in.Leaf, in.Proof, r); err != nil || !bytes.Equal(b.again[:len(b.again)-1], text) {
		return r, fmt.Errorf("%s was altered: this is not how a bundle is written", named(r))
	}
	if tlog.CheckRecord(in.Proof, b.checkpoint.Size, b.checkpoint.Root, in.Leaf, LeafHash(r)) != nil {
		return r, fmt.Errorf("%s was altered, or is not of this log: it is not in the tree that was signed", named(r))
	}
	for b.stream < len(streams) && streams[b.stream].Name != r.Stream {
		b.stream, b.last = b.stream+1, 0
	}
	if b.stream == len(streams) {
		return r, fmt.Errorf("%s is of a stream that the bundle does not name there", named(r))
	}
	s := &streams[b.stream]
	switch before, twice := b.ids[r.ID]; {
	case int64(r.Revision) > s.Events:
		return r, fmt.Errorf("%s follows on revision %d of its stream: events between them were left out", named(r), s.Events-1)
	case int64(r.Revision) < s.Events || r.Position <= b.last:
		return r, fmt.Errorf("%s is not in its place: the order was changed", named(r))
	case twice:
		return r, fmt.Errorf("%s has the id of the one at position %d", named(r), before)
	}
	b.ids[r.ID], b.last = r.Position, r.Position
	s.Events++
	return r, nil
}

// end checks the last line.
func (b *bundleReader) end(text []byte, events int64) error {
	var e bundleEnd
	if err := decode(text, &e); err != nil {
		return fmt.Errorf("line %d: %w", b.line, err)
	}
	again, err := appendValue(nil, e)
	switch {
	case err != nil || !bytes.Equal(again[:len(again)-1], text):
		return fmt.Errorf("line %d: it was altered: this is not how a bundle is written", b.line)
	case e.Events != events:
		return fmt.Errorf("line %d: the bundle has %d events and says that it has %d", b.line, events, e.Events)
	}
	if b.lines.Scan() || b.lines.Err() != nil {
		return errors.New("there is more behind the end of the bundle")
	}
	return nil
}

// named is how an error speaks of an event.
func named(r eventstore.Recorded) string {
	return fmt.Sprintf("the event at position %d (%s, revision %d of %s)", r.Position, r.Type, r.Revision, r.Stream)
}
