// Package tagging decides about the tags on something, for each aggregate that has
// them: always as a delta, never as the whole list. It knows no event: the
// aggregate records what was decided, under names of its own.
//
// It is pure.
package tagging

import (
	"slices"

	"github.com/chatledger/chatledger/domain/fault"
)

// Rules are an aggregate's refusals and bounds.
type Rules struct {
	ToAdd, ToRemove, BothWays, TooMany *fault.Error
	Max                                int
}

// Change returns what is to be added to have and what removed: what is there
// already is not added, what is not there is not removed, each once. visible
// refuses to deal with the thing.
func Change[T ~string](r Rules, have map[T]struct{}, visible error, add, remove []T) (added, removed []T, err error) {
	switch {
	case slices.Contains(add, ""):
		return nil, nil, r.ToAdd
	case slices.Contains(remove, ""):
		return nil, nil, r.ToRemove
	case slices.ContainsFunc(remove, func(t T) bool { return slices.Contains(add, t) }):
		return nil, nil, r.BothWays
	case visible != nil:
		return nil, nil, visible
	}
	added, removed = those(add, have, false), those(remove, have, true)
	if len(added) > 0 && len(have)+len(added)-len(removed) > r.Max {
		return nil, nil, r.TooMany
	}
	return added, removed, nil
}

// those returns those of tags that are among have, or are not, each once.
func those[T ~string](tags []T, have map[T]struct{}, there bool) (found []T) {
	seen := make(map[T]bool, len(tags))
	for _, t := range tags {
		if _, is := have[t]; is == there && !seen[t] {
			found = append(found, t)
		}
		seen[t] = true
	}
	return found
}
