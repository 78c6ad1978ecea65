// Package codec gives each event type its stable name and JSON form.
//
// It knows names and bytes, not what the events mean: the catalogues come from
// the domain.
package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Event is a fact with a stable, versioned name such as "chat.assigned.v1".
type Event interface{ EventType() string }

// Codec encodes and decodes the events of a catalogue. It is immutable.
type Codec[E Event] struct {
	types map[string]reflect.Type
	plans map[string]*plan // of the types that have one
	casts map[string]Upcast
}

// Upcast turns the data of an event that is no longer written into that of its
// successor. It is pure.
type Upcast struct {
	From, To string // names, such as "chat.assigned.v1" and "chat.assigned.v2"
	Data     func(json.RawMessage) (json.RawMessage, error)
}

// New returns the codec for a catalogue of zero values. It panics if two of
// them share a name, or if an upcast leads nowhere, since that is a mistake in
// the program.
func New[E Event](catalogue []E, upcasts ...Upcast) Codec[E] {
	c := Codec[E]{types: map[string]reflect.Type{}, plans: map[string]*plan{}, casts: map[string]Upcast{}}
	for _, e := range catalogue {
		if old, dup := c.types[e.EventType()]; dup {
			panic(fmt.Sprintf("codec: %s names both %v and %v", e.EventType(), old, reflect.TypeOf(e)))
		}
		t := reflect.TypeOf(e)
		c.types[e.EventType()] = t
		if t.Kind() == reflect.Struct {
			c.plans[e.EventType()] = newPlan(t)
		}
	}
	for _, u := range upcasts {
		c.casts[u.From] = u
	}
	for _, u := range upcasts {
		seen := map[string]bool{}
		for to := u.From; c.types[to] == nil; to = c.casts[to].To {
			if _, more := c.casts[to]; !more || seen[to] {
				panic(fmt.Sprintf("codec: the upcast of %s leads to no event of the catalogue", u.From))
			}
			seen[to] = true
		}
	}
	return c
}

// Types returns the names of the catalogue, sorted.
func (c Codec[E]) Types() []string { return slices.Sorted(maps.Keys(c.types)) }

// Encode returns e, ready to be appended under id.
func (c Codec[E]) Encode(id uuid.UUID, e E, meta eventstore.Metadata) (eventstore.Event, error) {
	data, err := marshal(e)
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("codec: encode %s: %w", e.EventType(), err)
	}
	m, err := meta.Encode()
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("codec: encode metadata of %s: %w", e.EventType(), err)
	}
	return eventstore.Event{ID: id, Type: e.EventType(), Data: data, Meta: m}, nil
}

// UnknownTypeError says that an event's type is in no catalogue, for example
// because a newer version of the program wrote it.
type UnknownTypeError struct{ Type string }

func (e UnknownTypeError) Error() string { return fmt.Sprintf("unknown event type %q", e.Type) }

// Decode returns the event that r holds. Fields it does not know are ignored; a
// type it does not know is an UnknownTypeError.
func (c Codec[E]) Decode(r eventstore.Recorded) (e E, err error) {
	name, data := r.Type, json.RawMessage(r.Data)
	for c.types[name] == nil {
		u, ok := c.casts[name]
		if !ok {
			return e, fmt.Errorf("codec: %s@%d: %w", r.Stream, r.Revision, UnknownTypeError{r.Type})
		}
		if data, err = u.Data(data); err != nil {
			return e, fmt.Errorf("codec: %s@%d: upcast %s to %s: %w", r.Stream, r.Revision, name, u.To, err)
		}
		name = u.To
	}
	p := reflect.New(c.types[name])
	if plan := c.plans[name]; plan != nil {
		if rest, ok := plan.read(string(data), p.UnsafePointer()); ok && rest == "" {
			return p.Elem().Interface().(E), nil
		}
		p = reflect.New(c.types[name])
	}
	if err := unmarshal(data, p.Interface()); err != nil {
		return e, fmt.Errorf("codec: %s@%d: %s: %w", r.Stream, r.Revision, r.Type, err)
	}
	return p.Elem().Interface().(E), nil
}

// marshal is json.Marshal without the escaping meant for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// unmarshal is json.Unmarshal in a third of the time: the coming encoding/json/v2.
// What is in the log is there for good, so it is as lenient as the present one
// about bytes that are no UTF-8 and names that come twice.
func unmarshal(data []byte, v any) error {
	return jsonv2.Unmarshal(data, v, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}
