package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/eventline"
	"github.com/chatledger/chatledger/internal/transcript"
)

// AuditVerifyCmd is `audit verify`.
type AuditVerifyCmd struct {
	Proof      string `arg:"" type:"existingfile" help:"The answer of GET /v1/chats/{chat}/proof."`
	Transcript string `type:"existingfile" placeholder:"FILE" help:"Check that this transcript, in JSON and as of the same position, says what the events of the proof say."`
	KeyFlag
}

// Help explains what help's one line cannot.
func (AuditVerifyCmd) Help() string {
	return `It needs no server and no database. The exit code is 1, and the message names the event, if anything in the proof is not what was signed. ` +
		`Compare the checkpoint that the proof begins with to one that you kept yourself: audit consistency takes a proof for a checkpoint.`
}

// Run implements the command.
func (c AuditVerifyCmd) Run(ctx context.Context, t *terminal) error {
	key, err := c.read()
	if err != nil {
		return err
	}
	file, err := os.Open(c.Proof)
	if err != nil {
		return fmt.Errorf("open proof: %w", err)
	}
	defer file.Close()
	kept := keptStreams{}
	v, err := audit.VerifyBundle(file, key, func(r eventstore.Recorded) error {
		if c.Transcript != "" {
			kept[r.Stream] = append(kept[r.Stream], r)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Proof, err)
	}
	about := 0
	for _, s := range v.Streams {
		about += int(s.Events)
	}
	fmt.Fprintf(t.stdout, "proven: %d events of chat %s and %d of what is named in it were recorded as they are here, among the first %d events of %s\n",
		v.Streams[0].Events, v.Chat, about-int(v.Streams[0].Events), v.Checkpoint.Size, v.Checkpoint.Origin)
	if c.Transcript != "" {
		for _, s := range v.Streams {
			kept[s.Name] = append(kept[s.Name], []eventstore.Recorded{}...) // it is there, with no events perhaps
		}
		if err := compareTranscript(ctx, c.Transcript, v, kept); err != nil {
			return fmt.Errorf("%s: %w", c.Transcript, err)
		}
		fmt.Fprintf(t.stdout, "proven: %s is the transcript of these events, byte for byte\n", c.Transcript)
	}
	fmt.Fprintf(t.stdout, "not proven: that the chat had no more events up to position %d, which takes the whole log (audit verify-log); "+
		"nor that this checkpoint is of the log that others see: compare it with one that you kept (audit consistency)\n", v.AsOf)
	return nil
}

// keptStreams are the streams of a proof.
type keptStreams map[string][]eventstore.Recorded

// ReadStream implements transcript.Streams.
func (k keptStreams) ReadStream(_ context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		events, there := k[stream]
		if !there {
			yield(eventstore.Recorded{}, fmt.Errorf("the proof does not have %s", stream))
			return
		}
		for i, r := range events[min(int(q.From), len(events)):] {
			if q.Limit > 0 && i == q.Limit || !yield(r, nil) {
				return
			}
		}
	}
}

// compareTranscript writes a transcript anew, from the events that were checked, and
// compares.
func compareTranscript(ctx context.Context, file string, v audit.Verified, kept keptStreams) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read transcript: %w", err)
	}
	var said struct {
		Schema string           `json:"schema"`
		About  transcript.About `json:"about"`
	}
	if err := json.Unmarshal(text, &said); err != nil || said.Schema != transcript.Schema {
		return errors.New("it is no whole transcript in JSON")
	}
	switch {
	case said.About.Chat != v.Chat:
		return fmt.Errorf("it is of chat %s, the proof is of %s", said.About.Chat, v.Chat)
	case said.About.AsOf != int64(v.AsOf):
		return fmt.Errorf("it is as of position %d, the proof as of %d: ask for the proof with as_of=%d", said.About.AsOf, v.AsOf, said.About.AsOf)
	}
	zone, err := transcript.Zone(said.About.TimeZone)
	if err != nil {
		return fmt.Errorf("it has an unknown time zone: %w", err)
	}
	tr, err := transcript.New(ctx, kept, v.Chat, transcript.Options{
		Format: chat.TranscriptJSON, Notes: said.About.Notes, Events: said.About.Events, Zone: zone, AsOf: v.AsOf,
	})
	if err != nil {
		return fmt.Errorf("write the transcript anew: %w", err)
	}
	var want bytes.Buffer
	if err := tr.Write(ctx, &want); err != nil {
		return fmt.Errorf("write the transcript anew: %w", err)
	}
	if !bytes.Equal(text, want.Bytes()) {
		got, should := bytes.Split(text, []byte("\n")), bytes.Split(want.Bytes(), []byte("\n"))
		n := 0
		for n < min(len(got), len(should)) && bytes.Equal(got[n], should[n]) {
			n++
		}
		return fmt.Errorf("line %d is not what was recorded: the transcript was altered, or made by another version", n+1)
	}
	return nil
}

// AuditVerifyLogCmd is `audit verify-log`.
type AuditVerifyLogCmd struct {
	StoreFlags
	KeyFlag
	Checkpoint []string `required:"" placeholder:"FILE" sep:"none" help:"A checkpoint that was kept. May be repeated: the more, the closer it is known where something was altered."`
	Events     string   `type:"existingfile" placeholder:"FILE" help:"What events dump has printed, instead of the log."`
}

// Help explains what help's one line cannot.
func (AuditVerifyLogCmd) Help() string {
	return `It hashes all events anew and compares with what was signed. Where the hashes that the server has kept are at hand (the database audit beside the log), it names the first event that was altered.`
}

// Run implements the command.
func (c AuditVerifyLogCmd) Run(ctx context.Context, t *terminal) error {
	var checkpoints []audit.Checkpoint
	for _, file := range c.Checkpoint {
		kept, err := c.checkpoint(file)
		if err != nil {
			return err
		}
		checkpoints = append(checkpoints, kept)
	}
	if c.Events != "" {
		file, err := os.Open(c.Events)
		if err != nil {
			return fmt.Errorf("open events: %w", err)
		}
		defer file.Close()
		return verifyLog(t.stdout, linesOf(file), checkpoints, nil)
	}
	return withLog(ctx, c.StoreFlags, t, func(log eventstore.Store) error {
		head, err := log.Head(ctx)
		if err != nil {
			return fmt.Errorf("read head of log: %w", err)
		}
		events := until(head.Position, log.ReadAll(ctx, eventstore.AllQuery{}))
		err = withAudit(ctx, c.StoreFlags, t, func(tree *audit.Tree, _ eventstore.Store) error {
			s, err := tree.Status(ctx)
			if err != nil {
				return err
			}
			if s.Origin != checkpoints[0].Origin { // what is kept is of another tree
				return errNoTree
			}
			return verifyLog(t.stdout, events, checkpoints, func(leaf int64) (tlog.Hash, error) { return tree.Hashed(ctx, leaf) })
		})
		if errors.Is(err, errNoTree) || errors.Is(err, errNoData) {
			err = verifyLog(t.stdout, events, checkpoints, nil)
		}
		return err
	})
}

func verifyLog(out io.Writer, events iter.Seq2[eventstore.Recorded, error], checkpoints []audit.Checkpoint, hashed func(int64) (tlog.Hash, error)) error {
	v, err := audit.VerifyLog(events, checkpoints, hashed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "proven: the first %d events of the log are those that were signed, as %s\n", v.Signed, checkpoints[0].Origin)
	fmt.Fprintf(out, "%d more, up to position %d, have no checkpoint among these; no stream of %d lacks an event\n", v.Events-v.Signed, v.Last, v.Streams)
	return nil
}

// linesOf reads a dump of the log.
func linesOf(in io.Reader) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 0, 64<<10), eventline.MaxLen)
		n := 0
		for lines.Scan() {
			n++
			r, err := eventline.Parse(lines.Bytes())
			if err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(eventstore.Recorded{}, fmt.Errorf("behind line %d: %w", n, err))
		}
	}
}
