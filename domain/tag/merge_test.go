package tag_test

import (
	"slices"
	"testing"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/tag"
)

func TestMerge(t *testing.T) {
	made := []tag.Event{tag.Created{Tag: "vip", Name: "VIP"}, tag.Created{Tag: "gold", Name: "Gold"}, tag.Created{Tag: "top", Name: "Top"}}
	merged := tag.Merged{Tag: "vip", Into: "gold"}
	after := func(more ...tag.Event) []tag.Event { return slices.Concat(made, more) }
	domaintest.Run(t, tag.Evolve, []domaintest.Case[tag.State, tag.Event]{
		{Name: "merge", Given: made, When: tag.Merge{Tag: "vip", Into: "gold"}, Then: []tag.Event{merged}},
		{Name: "merge an archived one", Given: after(tag.Archived{Tag: "vip"}), When: tag.Merge{Tag: "vip", Into: "gold"}, Then: []tag.Event{merged}},
		{Name: "merge again", Given: after(merged), When: tag.Merge{Tag: "vip", Into: "gold"}},
		{Name: "merge again, when that was merged on", Given: after(merged, tag.Merged{Tag: "gold", Into: "top"}), When: tag.Merge{Tag: "vip", Into: "top"}},
		{Name: "merge into another", Given: after(merged), When: tag.Merge{Tag: "vip", Into: "top"}, Err: tag.ErrMerged},
		{Name: "merge back", Given: after(merged), When: tag.Merge{Tag: "gold", Into: "vip"}, Err: tag.ErrMergeInto},
		{Name: "merge into itself", Given: made, When: tag.Merge{Tag: "vip", Into: "vip"}, Err: tag.ErrMergeSelf},
		{Name: "merge into an archived one", Given: after(tag.Archived{Tag: "gold"}), When: tag.Merge{Tag: "vip", Into: "gold"}, Err: tag.ErrMergeInto},
		{Name: "merge into an unknown one", Given: made, When: tag.Merge{Tag: "vip", Into: "none"}, Err: tag.ErrMergeInto},
		{Name: "merge an unknown one", Given: made, When: tag.Merge{Tag: "none", Into: "gold"}, Err: tag.ErrNotFound},
		{Name: "rename a merged one", Given: after(merged), When: tag.Rename{Tag: "vip", Name: "x"}, Err: tag.ErrMerged},
		{Name: "archive a merged one", Given: after(merged), When: tag.Archive{Tag: "vip"}, Err: tag.ErrMerged},
		{Name: "restore a merged one", Given: after(tag.Archived{Tag: "vip"}, merged), When: tag.Restore{Tag: "vip"}, Err: tag.ErrMerged},
		{Name: "create a merged one", Given: after(merged), When: tag.Create{Tag: "vip", Name: "VIP"}, Err: tag.ErrMerged},
	})
	s := domaintest.Fold(tag.Evolve, after(merged, tag.Merged{Tag: "gold", Into: "top"}))
	for _, word := range []string{"VIP", "gold", "top"} {
		if id, ok := s.Find(word); id != "top" || !ok {
			t.Errorf("Find(%q) = %q, %v", word, id, ok)
		}
	}
	if got := s.Aliases("top"); !slices.Equal(got, []tag.ID{"gold", "vip"}) {
		t.Errorf("aliases %v", got)
	}
	if got := s.Aliases("vip"); len(got) != 0 {
		t.Errorf("aliases of a merged one: %v", got)
	}
}
