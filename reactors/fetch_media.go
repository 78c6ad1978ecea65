package reactors

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/ids"
)

// FetchMediaName names the reactor.
const FetchMediaName = "fetch_media.v1"

// FetchMedia fetches the files of customers' messages, for Meta does not keep
// them, and keeps them in Files.
//
// A file that is fetched twice, because the program ended between, is kept once: it
// is named by what it holds. Files wait for nothing but their own turn, and no
// message waits for its file.
type FetchMedia struct {
	Accounts whatsapp.Accounts
	Client   *whatsapp.Client
	Files    blob.Store
	Chats    commands.Chats
	Now      func() time.Time
	Retry    Retry // default: 5 tries, 2 s to 60 s apart, for Meta locks out who fails often
}

// fetchWindow is how many files come at once at most.
const fetchWindow = 32

// Reactor returns it, ready for a Host.
func (f FetchMedia) Reactor() Reactor {
	if f.Retry == (Retry{}) {
		f.Retry = Retry{Tries: 5, Min: 2 * time.Second, Max: time.Minute}
	}
	events := codec.New([]chat.Event{chat.MessageReceived{}, chat.MediaRequested{}})
	return Reactor{
		Name:       FetchMediaName,
		Categories: []string{"chat"},
		Types:      events.Types(),
		Window:     fetchWindow,
		Unordered:  true,
		// Files of a chat do not wait for each other.
		Keys:  func(e eventstore.Recorded) []string { return []string{e.ID.String()} },
		Retry: f.Retry,
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			w, err := f.open(events, e)
			if err != nil {
				return Permanent(err)
			}
			return w.handle(ctx)
		},
		GiveUp: func(ctx context.Context, e eventstore.Recorded, last error) error {
			failed, ok := errors.AsType[*whatsapp.MediaError](last)
			if !ok {
				return last
			}
			w, err := f.open(events, e)
			if err != nil {
				return errors.Join(last, err)
			}
			return w.fail(ctx, failed)
		},
	}
}

// fetching is the work on one event.
type fetching struct {
	FetchMedia
	e       eventstore.Recorded
	meta    eventstore.Metadata
	chat    chat.ID
	message chat.MessageID
	file    bool // the message has one
	asked   bool // somebody asked for it
}

func (f FetchMedia) open(events codec.Codec[chat.Event], e eventstore.Recorded) (*fetching, error) {
	fact, err := events.Decode(e)
	if err != nil {
		return nil, err
	}
	meta, err := eventstore.DecodeMetadata(e)
	w := &fetching{FetchMedia: f, e: e, meta: meta, chat: chat.ID(strings.TrimPrefix(e.Stream, "chat-"))}
	switch fact := fact.(type) {
	case chat.MessageReceived:
		w.message, w.file = fact.Message, fact.Content.Media != nil
	case chat.MediaRequested:
		w.message, w.file, w.asked = fact.Message, true, true
	}
	return w, err
}

func (w *fetching) handle(ctx context.Context) error {
	if !w.file {
		return nil
	}
	var channel string
	var file chat.MediaFile
	err := w.Chats.Look(ctx, w.meta.Workspace, w.chat, func(s chat.State) error {
		channel, file = s.Channel, s.Media[w.message]
		return nil
	})
	if err != nil {
		return refused(err)
	}
	if file.State != chat.MediaFetching { // by an earlier run of this event, or by another
		return nil
	}
	if !w.asked && w.Now().Sub(file.At) > whatsapp.MediaAge {
		// Meta locks out who asks for too much that is not there: it is not asked
		// unless a person wants it.
		return w.fail(ctx, &whatsapp.MediaError{Code: chat.MediaGone, Why: "The message is older than the 7 days for which WhatsApp keeps files."})
	}
	account, err := w.Accounts(ctx, channel)
	if errors.Is(err, whatsapp.ErrUnknownChannel) {
		return w.fail(ctx, &whatsapp.MediaError{Code: chat.MediaNoChannel, Why: "The channel was disconnected."})
	} else if err != nil {
		return err
	}
	stored, err := w.fetch(ctx, account, file)
	failed, ok := errors.AsType[*whatsapp.MediaError](err)
	switch {
	case ok && failed.Again:
		return Later(failed, failed.After)
	case ok:
		return w.fail(ctx, failed)
	case err != nil:
		return err
	}
	ctx, cancel := outlast(ctx)
	defer cancel()
	_, err = w.Chats.StoreMedia(ctx, w.origin("stored"), w.chat, chat.StoreMedia{MediaStored: stored})
	return refused(err)
}

// fetch brings a file from Meta into the store.
func (w *fetching) fetch(ctx context.Context, a whatsapp.Account, file chat.MediaFile) (stored chat.MediaStored, err error) {
	ctx, cancel := context.WithTimeout(ctx, whatsapp.MediaTime)
	defer cancel()
	in, err := w.Client.OpenMedia(ctx, a, file.Source.ID)
	if err != nil {
		return stored, err
	}
	defer in.Body.Close()
	most := file.Kind.Max()
	if in.Size > most {
		return stored, tooLarge(file.Kind)
	}
	sum := in.SHA256
	if sum == "" {
		sum = whatsapp.Digest(file.Source.SHA256)
	}
	body := bufio.NewReaderSize(in.Body, media.Head)
	head, err := body.Peek(media.Head)
	if err != nil && !errors.Is(err, io.EOF) {
		return stored, err
	}
	declared := in.MIMEType
	if declared == "" {
		declared = file.Source.MIMEType
	}
	shown, err := media.Type(file.Kind, declared, head)
	if f, ok := errors.AsType[*fault.Error](err); ok && len(head) > 0 {
		return stored, &whatsapp.MediaError{Code: chat.MediaType, Why: "The file was not taken: " + f.Msg + "."}
	}
	kept, err := w.Files.Put(ctx, w.meta.Workspace, blob.Check(body, most, sum))
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return stored, tooLarge(file.Kind)
	case errors.Is(err, blob.ErrEmpty):
		return stored, &whatsapp.MediaError{Code: chat.MediaEmpty, Why: "The file is empty."}
	case errors.Is(err, blob.ErrDamaged):
		return stored, &whatsapp.MediaError{Code: chat.MediaDamaged, Why: "What came is not the file that WhatsApp announced.", Again: true}
	case err != nil:
		return stored, err
	}
	return chat.MediaStored{Message: w.message, SHA256: kept.SHA256, Size: kept.Size, MIMEType: shown, At: w.Now().UTC()}, nil
}

func tooLarge(k media.Kind) *whatsapp.MediaError {
	const kb = 1 << 10
	return &whatsapp.MediaError{Code: chat.MediaTooLarge, Why: fmt.Sprintf("The file is larger than the %d KB that a file of kind %s may have.", k.Max()/kb, k)}
}

func (w *fetching) origin(what string) commands.Origin {
	return commands.Origin{
		Workspace: w.meta.Workspace, Actor: FetchMediaName, ActorKind: commands.ActorSystem, Channel: w.meta.Channel,
		Command:     ids.Command("fetch media", w.e.ID.String(), what),
		Correlation: w.meta.Correlation, Causation: w.e.ID.String(), Traceparent: w.meta.Traceparent,
	}
}

func (w *fetching) fail(ctx context.Context, why *whatsapp.MediaError) error {
	ctx, cancel := outlast(ctx)
	defer cancel()
	_, err := w.Chats.FailMedia(ctx, w.origin("failed"), w.chat, chat.FailMedia{MediaFailed: chat.MediaFailed{
		Message: w.message, Code: why.Code, Reason: why.Why, At: w.Now().UTC(),
	}})
	return refused(err)
}
