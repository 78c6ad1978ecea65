package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/eventline"
)

// BundleSchema names the form of a bundle. Its lines never change: another form has
// another name.
const BundleSchema = "chatledger.proof.v1"

// BundleQuery says what a bundle is to prove.
type BundleQuery struct {
	Chat    string              // the id of the chat
	Streams []string            // to be proven: that of the chat first
	AsOf    eventstore.Position // nothing behind it is in the bundle
}

// Bundle is a proof of the events of some streams, ready to be written as lines of
// JSON: a header with a checkpoint; each event with the hashes that lead from it to
// the root; an end that tells a whole bundle from the beginning of one.
type Bundle struct {
	tree   *Tree
	header bundleHeader
	at     Checkpoint
}

type bundleHeader struct {
	Schema     string              `json:"schema"`
	Chat       string              `json:"chat"`
	AsOf       eventstore.Position `json:"as_of"`
	Streams    []string            `json:"streams"`
	Key        string              `json:"key"` // the checkpoint's; who checks has it from elsewhere
	Checkpoint string              `json:"checkpoint"`
}

type bundleEnd struct {
	Events int64 `json:"events"`
}

// NewBundle signs the tree, if no checkpoint has the events up to q.AsOf yet. The
// tree must have got there (Wait). The same question gets the same bytes.
func (t *Tree) NewBundle(ctx context.Context, q BundleQuery) (*Bundle, error) {
	c, err := t.Covering(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	key, err := t.Key(ctx)
	if err != nil {
		return nil, err
	}
	return &Bundle{t, bundleHeader{BundleSchema, q.Chat, q.AsOf, q.Streams, key, c.Note}, c}, nil
}

// Write writes the bundle to w, as it reads the events.
func (b *Bundle) Write(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 32<<10)
	line, err := appendValue(nil, b.header)
	if err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return err
	}
	end := bundleEnd{}
	for _, stream := range b.header.Streams {
		for r, err := range b.tree.cfg.Store.ReadStream(ctx, stream, eventstore.StreamQuery{}) {
			if err != nil {
				return fmt.Errorf("read %s: %w", stream, err)
			}
			if r.Position > b.header.AsOf {
				break
			}
			leaf, proof, err := b.tree.inclusion(ctx, b.at.Size, r.Position)
			if err != nil {
				return err
			}
			if line, err = appendProven(line[:0], leaf, proof, r); err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
			end.Events++
		}
	}
	if line, err = appendValue(line[:0], end); err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return err
	}
	return out.Flush()
}

// appendValue adds a value and a line break.
func appendValue(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("encode proof: %w", err)
	}
	return append(append(b, text...), '\n'), nil
}

// appendProven adds the line of an event.
func appendProven(b []byte, leaf int64, proof tlog.RecordProof, r eventstore.Recorded) (_ []byte, err error) {
	b = append(b, `{"leaf":`...)
	b = strconv.AppendInt(b, leaf, 10)
	b = append(b, `,"proof":[`...)
	for i, h := range proof {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), h.String()...), '"')
	}
	b = append(b, `],"event":`...)
	if b, err = eventline.Append(b, r); err != nil {
		return b, fmt.Errorf("encode event at %d: %w", r.Position, err)
	}
	return append(b, "}\n"...), nil
}
