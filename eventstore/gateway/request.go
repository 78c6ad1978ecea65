package gateway

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/chatledger/chatledger/eventstore"
)

// request is what a client asks to read.
type request struct {
	stream    string // empty for $all
	backwards bool
	subscribe bool
	count     uint64 // of events at most, if it is no subscription
	from      from
	filter    *filter // of $all only
	resolve   bool    // give the events that links lead to
	asString  bool    // ids as text
	positions bool    // the client understands where the stream ends
}

// from is where a read begins.
type from struct {
	start, end bool
	at         uint64 // a revision, or a position of $all
}

// positionsSince is the compatibility level from which clients take first and last
// positions of a stream; others stumble over them.
const positionsSince = 21

func parseRequest(req *streams.ReadReq) (request, error) {
	o := req.GetOptions()
	q := request{
		backwards: o.GetReadDirection() == streams.ReadReq_Options_Backwards, resolve: o.GetResolveLinks(),
		positions: o.GetControlOption().GetCompatibility() >= positionsSince,
	}
	switch o.GetUuidOption().GetContent().(type) {
	case *streams.ReadReq_Options_UUIDOption_Structured:
	case *streams.ReadReq_Options_UUIDOption_String_:
		q.asString = true
	default:
		return q, invalid("Required argument 'uuidOption' is missing")
	}
	switch count := o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		q.count = count.Count
	case *streams.ReadReq_Options_Subscription:
		q.subscribe = true
	default:
		return q, invalid("Required argument 'countOption' is missing")
	}
	if q.subscribe && q.backwards {
		return q, invalid("The combination of a subscription and the direction backwards is invalid.")
	}
	switch what := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		if q.stream = string(what.Stream.GetStreamIdentifier().GetStreamName()); q.stream == "" {
			return q, invalid("'streamIdentifier' is empty")
		}
		switch at := what.Stream.GetRevisionOption().(type) {
		case *streams.ReadReq_Options_StreamOptions_Revision:
			q.from.at = at.Revision
		case *streams.ReadReq_Options_StreamOptions_End:
			q.from.end = true
		default:
			q.from.start = true
		}
	case *streams.ReadReq_Options_All:
		switch at := what.All.GetAllOption().(type) {
		case *streams.ReadReq_Options_AllOptions_Position:
			q.from.at = at.Position.GetCommitPosition()
		case *streams.ReadReq_Options_AllOptions_End:
			q.from.end = true
		default:
			q.from.start = true
		}
	default:
		return q, invalid("Required argument 'streamOption' is missing")
	}
	if q.from.at == math.MaxUint64 { // an old way to say it
		q.from = from{end: true}
	}
	f := o.GetFilter()
	if f == nil {
		return q, nil
	}
	if q.stream != "" {
		return q, invalid("A filter goes with $all only.")
	}
	var err error
	q.filter, err = parseFilter(f)
	return q, err
}

// filter chooses events of $all by the name of their stream, or by their type.
type filter struct {
	byType   bool
	prefixes []string
	regex    *regexp.Regexp
	interval int // events looked at from one checkpoint to the next
}

// Bounds of a filter.
const (
	maxPrefixes = 200
	maxPattern  = 2_000     // bytes of a regular expression, or of one prefix
	maxInterval = 1_000_000 // events
	window      = 32        // events a search looks at if the client does not say, as its clients have it
)

func parseFilter(f *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	var expr *streams.ReadReq_Options_FilterOptions_Expression
	out := &filter{}
	switch by := f.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		expr = by.StreamIdentifier
	case *streams.ReadReq_Options_FilterOptions_EventType:
		expr, out.byType = by.EventType, true
	default:
		return nil, invalid("The filter is neither by stream nor by event type.")
	}
	long := func(s string) bool { return len(s) > maxPattern }
	switch {
	case long(expr.GetRegex()), len(expr.GetPrefix()) > maxPrefixes, slices.ContainsFunc(expr.GetPrefix(), long):
		return nil, invalid("The filter is too large: at most %d prefixes, and %d bytes each.", maxPrefixes, maxPattern)
	case expr.GetRegex() != "":
		re, err := regexp.Compile(expr.GetRegex())
		if err != nil {
			return nil, invalid("The filter's regular expression is not understood (RE2, without look-around and back-references): %v", err)
		}
		out.regex = re
	case len(expr.GetPrefix()) > 0:
		out.prefixes = expr.GetPrefix()
	default:
		return nil, invalid("The filter has neither a regular expression nor prefixes.")
	}
	search := uint64(window)
	if m, ok := f.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		search = uint64(m.Max)
	}
	interval := search * uint64(f.GetCheckpointIntervalMultiplier())
	if interval == 0 {
		interval = window
	}
	out.interval = int(min(interval, maxInterval))
	return out, nil
}

func (f *filter) match(r *eventstore.Recorded) bool {
	if f == nil {
		return true
	}
	s := r.Stream
	if f.byType {
		s = r.Type
	}
	if f.regex != nil {
		return f.regex.MatchString(s)
	}
	return slices.ContainsFunc(f.prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// narrow tells the store what the filter can want, where that can be said in
// categories: so a search for "chat-" need not look at all else.
func (f *filter) narrow(q *eventstore.AllQuery) {
	if f == nil || f.byType || f.regex != nil {
		return
	}
	var categories []string
	for _, p := range f.prefixes {
		category, _, dashed := strings.Cut(p, "-")
		if !dashed || category == "" {
			return
		}
		categories = append(categories, category)
	}
	q.Categories = categories
}
