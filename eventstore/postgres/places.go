package postgres

import "github.com/chatledger/chatledger/eventstore"

// place is where a stream ends.
type place struct {
	origin   int64 // position of its first event
	revision eventstore.Revision
}

// maxPlaces is what places remembers at least, if there are as many.
const maxPlaces = 50_000

// places remembers the ends of the streams used last: when young is full, it
// becomes old, and what is still used moves back.
type places struct {
	young, old map[string]place
}

func (p *places) get(stream string) (place, bool) {
	at, ok := p.young[stream]
	if !ok {
		if at, ok = p.old[stream]; ok {
			p.set(stream, at)
		}
	}
	return at, ok
}

func (p *places) set(stream string, at place) {
	if p.young == nil || len(p.young) >= maxPlaces {
		p.young, p.old = map[string]place{}, p.young
	}
	p.young[stream] = at
}

func (p *places) forget(stream string) {
	delete(p.young, stream)
	delete(p.old, stream)
}
