package gateway

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/chatledger/chatledger/eventstore"
)

// outgoing is an event on its way to a client.
type outgoing struct {
	eventstore.Recorded
	link *link // the link by which it was reached, if it was asked for with links resolved
}

// link is an entry of a virtual stream such as $ce-chat: it says where the event is.
type link struct {
	stream   string
	revision uint64
}

// Numbers of the fields of ReadResp, as streams.proto has them.
const (
	respEvent = 1

	readEvent          = 1
	readEventLink      = 2
	readEventCommitPos = 3

	recordedID         = 1
	recordedStream     = 2
	recordedRevision   = 3
	recordedPrepare    = 4
	recordedCommit     = 5
	recordedMetadata   = 6
	recordedCustomMeta = 7
	recordedData       = 8
)

// encodeEvent returns a ReadResp with one event. asString says how the client wants
// ids. It is what proto.Marshal makes of the same message, field for field.
func encodeEvent(e outgoing, asString bool) encoded {
	event := appendRecorded(nil, recordedOf(&e.Recorded), asString)
	size := len(event) + 24
	var link []byte
	if e.link != nil {
		link = appendRecorded(nil, e.link.recorded(&e.Recorded), asString)
		size += len(link) + 8
	}
	body := protowire.AppendTag(make([]byte, 0, size), readEvent, protowire.BytesType)
	body = protowire.AppendBytes(body, event)
	if link != nil {
		body = protowire.AppendTag(body, readEventLink, protowire.BytesType)
		body = protowire.AppendBytes(body, link)
	}
	body = protowire.AppendTag(body, readEventCommitPos, protowire.VarintType)
	body = protowire.AppendVarint(body, uint64(e.Position))
	b := protowire.AppendTag(make([]byte, 0, len(body)+8), respEvent, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

// recorded is an event as the protocol has it.
type recorded struct {
	id                  uuid.UUID
	stream, typ, format string
	revision, position  uint64
	created             int64 // ticks of 100 ns since 1970
	data, meta          []byte
}

const (
	asJSON   = "application/json"
	asBinary = "application/octet-stream"
)

func recordedOf(r *eventstore.Recorded) recorded {
	return recorded{
		id: r.ID, stream: r.Stream, typ: r.Type, format: formatOf(r), revision: uint64(r.Revision), position: uint64(r.Position),
		created: r.Time.UnixMicro() * 10, data: r.Data, meta: r.Meta,
	}
}

// formatOf says whether the data is JSON, which that of all our events is.
func formatOf(r *eventstore.Recorded) string {
	if len(r.Data) == 0 || r.Data[0] != '{' && r.Data[0] != '[' && r.Data[0] != '"' {
		return asBinary
	}
	return asJSON
}

// recorded returns the link itself as an event: its type is "$>", and its data the
// revision and stream of what it leads to. Its id is derived, so that it is the same
// each time.
func (l *link) recorded(to *eventstore.Recorded) recorded {
	return recorded{
		id: uuid.NewSHA1(to.ID, []byte(l.stream)), stream: l.stream, typ: "$>", format: asBinary, revision: l.revision, position: uint64(to.Position),
		created: to.Time.UnixMicro() * 10, data: strconv.AppendInt(nil, int64(to.Revision), 10),
	}.leadingTo(to.Stream)
}

func (r recorded) leadingTo(stream string) recorded {
	r.data = append(append(r.data, '@'), stream...)
	return r
}

func appendRecorded(b []byte, r recorded, asString bool) []byte {
	if b == nil {
		b = make([]byte, 0, len(r.data)+len(r.meta)+len(r.stream)+len(r.typ)+192)
	}
	b = protowire.AppendTag(b, recordedID, protowire.BytesType)
	b = appendID(b, r.id, asString)
	b = protowire.AppendTag(b, recordedStream, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(len(r.stream))))
	b = protowire.AppendTag(b, 3, protowire.BytesType) // StreamIdentifier.stream_name
	b = protowire.AppendString(b, r.stream)
	b = appendNumber(b, recordedRevision, r.revision)
	b = appendNumber(b, recordedPrepare, r.position)
	b = appendNumber(b, recordedCommit, r.position)
	b = appendEntry(b, "content-type", r.format)
	var ticks [20]byte
	b = appendEntry(b, "created", string(strconv.AppendInt(ticks[:0], r.created, 10)))
	b = appendEntry(b, "type", r.typ)
	b = appendBytes(b, recordedCustomMeta, r.meta)
	return appendBytes(b, recordedData, r.data)
}

func appendID(b []byte, id uuid.UUID, asString bool) []byte {
	if asString {
		b = protowire.AppendVarint(b, 38)
		b = protowire.AppendTag(b, 2, protowire.BytesType) // UUID.string
		b = protowire.AppendVarint(b, 36)
		var text [36]byte
		copy(text[:], id.String())
		return append(b, text[:]...)
	}
	most, least := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	size := 0
	for _, half := range []uint64{most, least} {
		if half != 0 {
			size += 1 + protowire.SizeVarint(half)
		}
	}
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(size)))
	b = protowire.AppendTag(b, 1, protowire.BytesType) // UUID.structured
	b = protowire.AppendVarint(b, uint64(size))
	b = appendNumber(b, 1, most)
	return appendNumber(b, 2, least)
}

func appendEntry(b []byte, key, value string) []byte {
	b = protowire.AppendTag(b, recordedMetadata, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(2+protowire.SizeBytes(len(key))+protowire.SizeBytes(len(value))))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendString(b, value)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

// The other messages of a read are rare.

func confirmation(id uuid.UUID) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: id.String()}}}
}

func checkpoint(p eventstore.Position) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
		CommitPosition: uint64(p), PreparePosition: uint64(p),
	}}}
}

func caughtUp() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}
}

func fellBehind() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_FellBehind_{FellBehind: &streams.ReadResp_FellBehind{}}}
}

func notFound(stream string) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: identifier(stream)}}}
}

func lastPosition(r eventstore.Revision) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(r)}}
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// position returns a number from the wire as one of ours; too large is behind any end.
func position(n uint64) eventstore.Position {
	return eventstore.Position(min(n, math.MaxInt64))
}
