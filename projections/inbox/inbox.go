// Package inbox is the list of chats that agents work from: one row for each
// chat, with counters and a tag index that follow the rows.
//
// It folds and reads; it decides nothing. What WhatsApp's webhooks bring may
// arrive in any order: the time in the event decides, and of the same time the
// position in the log.
package inbox

import (
	"math"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the list up to date.
type Projection struct {
	chats  *projections.Rows[string, Row]
	counts *projections.Rows[CountKey, CountRow]
	tags   *projections.Rows[TagKey, TagRow]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	// What follows chat_id is there so that a list finds its page in the index
	// alone, before it looks at a row.
	const filters = ", status, assignee, category, team, channel, has_unread, snoozed"
	p := &Projection{
		chats: projections.NewRows("inbox_v3_chats", func(r *Row) string { return r.ID },
			projections.Index{Name: "by_activity", Columns: "listed, last_activity_at, chat_id" + filters},
			projections.Index{Name: "by_status", Columns: "listed, status, last_activity_at, chat_id, assignee, channel, has_unread, snoozed"},
			projections.Index{Name: "by_assignee", Columns: "listed, assignee, last_activity_at, chat_id, category, has_unread, snoozed"},
			projections.Index{Name: "by_both", Columns: "listed, assignee, status, last_activity_at, chat_id, snoozed"},
			projections.Index{Name: "by_team", Columns: "listed, team, last_activity_at, chat_id, status, category, assignee, has_unread, snoozed"},
			projections.Index{Name: "by_channel", Columns: "listed, channel, last_activity_at, chat_id, snoozed"},
			projections.Index{Name: "by_unread", Columns: "listed, has_unread, last_activity_at, chat_id, snoozed"},
			projections.Index{Name: "by_created", Columns: "listed, created_at, chat_id" + filters},
			projections.Index{Name: "by_waiting", Columns: "listed, waiting_order, chat_id, last_activity_at" + filters},
			projections.Index{Name: "by_assignee_waiting", Columns: "listed, assignee, waiting_order, chat_id, last_activity_at, status, category, snoozed"},
		),
		counts: projections.NewRows("inbox_v3_counts", func(r *CountRow) CountKey { return r.CountKey }),
		tags: projections.NewRows("inbox_v3_tags", func(r *TagRow) TagKey { return r.TagKey },
			projections.Index{Name: "by_activity", Columns: "listed, tag, last_activity_at, chat_id" + filters + ", created_at, waiting_order"},
			projections.Index{Name: "by_status", Columns: "listed, tag, status, last_activity_at, chat_id, snoozed"},
		),
	}
	p.chats.OnChange(p.count)
	p.chats.OnChange(p.tag)
	return p
}

// Name returns the name under which the list is published in this form. inbox.v1
// knew of no chat that is snoozed; in inbox.v2 the provider's ids said which of the
// messages of one time was the last.
func (*Projection) Name() string { return "inbox.v3" }

// Categories returns the one category of streams that the list is made of.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the chats, and what is derived from them.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.chats, p.counts, p.tags}
}

// Apply records what e changes in the list.
func (p *Projection) Apply(e projections.Event) {
	id, revision := e.Subject(), int64(e.Revision)
	// change folds into a chat that was opened before. Every event of a chat
	// moves its revision, so that a reader's If-Match is never out of date.
	change := func(fold func(*Row)) {
		p.chats.Update(id, func(r *Row) {
			fold(r)
			r.Revision = revision
			r.derive()
		})
	}
	switch f := e.Fact.(type) {
	case chat.Opened:
		p.chats.Upsert(id, func(r *Row) {
			r.ID, r.Workspace, r.Channel, r.Customer = id, f.Workspace, f.Channel, f.Customer
			r.Status, r.Category = f.Status, string(f.Category)
			r.seen(f.At.UnixMicro())
			r.Revision = revision
			r.derive()
		})
	case chat.MessageReceived:
		change(func(r *Row) {
			at := f.At.UnixMicro()
			r.seen(at)
			if !f.Blocked {
				r.Unread++
				r.received(at)
			}
			r.last(at, ByCustomer, f.Content.Kind, Preview(f.Content))
			if f.ProfileName != "" {
				r.Profile = r.Profile.later(Stamped{f.ProfileName, at})
			}
		})
	case chat.ReactionReceived:
		change(func(r *Row) { r.seen(f.At.UnixMicro()) })
	case chat.SystemNoticed:
		change(func(r *Row) { r.seen(f.At.UnixMicro()) })
	case chat.DetailsShared:
		change(func(r *Row) { r.shared(f) })
	case chat.MessageQueued:
		by := ByAgent
		if f.Bot {
			by = ByBot
		}
		change(func(r *Row) {
			at := f.At.UnixMicro()
			r.answered(at)
			said := f.Content()
			kind := said.Kind
			if f.Template != nil || f.Interactive != nil {
				said.Kind = "text" // what the customer reads is all that counts here
			}
			r.last(at, by, kind, Preview(said))
		})
	case chat.Claimed:
		change(func(r *Row) { r.Assignee = string(f.By) })
	case chat.Assigned:
		change(func(r *Row) { r.Assignee = string(f.To) })
	case chat.Unassigned:
		change(func(r *Row) { r.Assignee = "" })
	case chat.Transferred:
		change(func(r *Row) {
			switch f.Kind {
			case chat.ToAgent:
				r.Assignee = f.To
			case chat.ToTeam:
				r.Assignee, r.Team = "", f.To
			case chat.ToBot:
				r.Assignee, r.Team = "", ""
			}
		})
	case chat.TagsChanged:
		change(func(r *Row) { r.Tags = projections.Retag(r.Tags, f.Added, f.Removed) })
	case chat.StatusSet:
		change(func(r *Row) { r.Status, r.Category = f.Status, string(f.Category) })
	case chat.Closed:
		change(func(r *Row) {
			r.Status, r.Category = f.Status, string(f.Category)
			r.Snoozed, r.SnoozedUntil = false, 0
		})
	case chat.Reopened:
		change(func(r *Row) { r.Status, r.Category = f.Status, string(f.Category) })
	case chat.Snoozed:
		change(func(r *Row) { r.Snoozed, r.SnoozedUntil = true, micros(f.Until) })
	case chat.Woken:
		change(func(r *Row) {
			r.Snoozed, r.SnoozedUntil = false, 0
			if f.Reason == chat.WokenByTime {
				r.Unread = max(r.Unread, 1)
			}
		})
	case chat.MarkedRead:
		change(func(r *Row) { r.Unread = 0 })
	case chat.MarkedUnread, chat.ScheduleFailed:
		change(func(r *Row) { r.Unread = max(r.Unread, 1) })
	case chat.Deleted:
		change(func(r *Row) { r.Deleted = true })
	case chat.Restored:
		change(func(r *Row) { r.Deleted = false })
	default:
		change(func(*Row) {})
	}
}

// micros returns a time that may not be there.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// seen notes that the customer did something at a time.
func (r *Row) seen(at int64) {
	if r.CreatedAt == 0 || at < r.CreatedAt {
		r.CreatedAt = at
	}
}

// received notes a message of the customer: it waits for an answer, unless it
// is older than the last answer and merely arrived late.
func (r *Row) received(at int64) {
	r.LastInAt = max(r.LastInAt, at)
	if at >= r.AnsweredUntil && (r.WaitingSince == 0 || at < r.WaitingSince) {
		r.WaitingSince = at
	}
}

// answered notes an answer. Whoever answers has seen what had arrived, even if
// the customer's clock is ahead of ours.
func (r *Row) answered(at int64) {
	r.AnsweredUntil = max(r.AnsweredUntil, at, r.LastInAt)
	r.WaitingSince = 0
}

// last makes a message, which the log has behind all so far, the last one, unless
// it was written before that.
func (r *Row) last(at int64, by, kind, preview string) {
	if r.LastBy == "" || at >= r.LastAt {
		r.LastAt, r.LastBy, r.LastKind, r.LastPreview = at, by, kind, preview
	}
}

// shared makes the visitor a contact, or none any more. Each detail is the one given last.
func (r *Row) shared(f chat.DetailsShared) {
	at := f.At.UnixMicro()
	r.IsContact = !f.Gone
	if f.Name != "" {
		r.Shared.Name = r.Shared.Name.later(Stamped{f.Name, at})
	}
	if len(f.Emails) > 0 {
		r.Shared.Email = r.Shared.Email.later(Stamped{f.Emails[0], at})
	}
	if len(f.Phones) > 0 {
		r.Shared.Phone = r.Shared.Phone.later(Stamped{f.Phones[0], at})
	}
	for _, detail := range f.Emptied {
		gone := Stamped{At: at}
		switch detail {
		case chat.DetailName:
			r.Shared.Name = r.Shared.Name.later(gone)
		case chat.DetailEmails:
			r.Shared.Email = r.Shared.Email.later(gone)
		case chat.DetailPhones:
			r.Shared.Phone = r.Shared.Phone.later(gone)
		}
	}
}

// later returns what was given, or taken away, last of s and t, which the log has
// behind s.
func (s Stamped) later(t Stamped) Stamped {
	if s == (Stamped{}) || t.At >= s.At {
		return t
	}
	return s
}

// derive sets the columns that follow from others.
func (r *Row) derive() {
	r.Listed = r.Workspace
	if r.Deleted {
		r.Listed = ""
	}
	r.HasUnread = r.Unread > 0
	r.LastActivityAt = r.CreatedAt
	if r.LastBy != "" {
		r.LastActivityAt = r.LastAt
	}
	r.WaitingOrder = r.WaitingSince
	if r.WaitingSince == 0 {
		r.WaitingOrder = math.MaxInt64 - max(0, r.LastActivityAt)
	}
	r.Email = r.Shared.Email.Value
	r.Phone = r.Shared.Phone.Value
	if r.Phone == "" {
		r.Phone = phone(r.Customer)
	}
	r.Name = r.Customer
	if r.Profile.Value != "" {
		r.Name = r.Profile.Value
	}
	if r.Shared.Name.Value != "" {
		r.Name = r.Shared.Name.Value
	}
}

// phone returns the number that a WhatsApp id is, or "" if it is none.
func phone(customer string) string {
	if customer == "" {
		return ""
	}
	for _, c := range []byte(customer) {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return "+" + customer
}

// count keeps the counters: how many listed chats there are, by what the tabs
// show and by category.
func (p *Projection) count(before, after *Row) {
	b, a := counted(before), counted(after)
	for _, k := range b {
		if !slices.Contains(a, k) {
			p.add(k, -1)
		}
	}
	for _, k := range a {
		if !slices.Contains(b, k) {
			p.add(k, +1)
		}
	}
}

func (p *Projection) add(k CountKey, n int64) {
	p.counts.Change(k, func(r *CountRow) *CountRow {
		c := CountRow{CountKey: k, N: n}
		if r != nil {
			c.N += r.N
		}
		if c.N == 0 {
			return nil // so that a counter's history leaves no trace
		}
		return &c
	})
}

// counted returns the counters that a chat is in. One that is snoozed is in those of
// the snoozed alone.
func counted(r *Row) []CountKey {
	if r == nil || r.Listed == "" {
		return nil
	}
	all, assignee, status, unread := dimAll, dimAssignee, dimStatus, dimUnread
	if r.Snoozed {
		all, assignee, status, unread = dimSnoozed, dimSnoozedAssignee, dimSnoozedStatus, dimSnoozedUnread
	}
	keys := []CountKey{
		{r.Listed, all, "", r.Category},
		{r.Listed, assignee, r.Assignee, r.Category},
		{r.Listed, status, r.Status, r.Category},
	}
	if r.HasUnread {
		keys = append(keys, CountKey{r.Listed, unread, "", r.Category})
	}
	return keys
}

// tag keeps the tag index.
func (p *Projection) tag(before, after *Row) {
	b, a := tagged(before), tagged(after)
	for _, t := range b {
		if !slices.ContainsFunc(a, func(u TagRow) bool { return u.TagKey == t.TagKey }) {
			p.tags.Delete(t.TagKey)
		}
	}
	for _, t := range a {
		if !slices.Contains(b, t) {
			p.tags.Put(t)
		}
	}
}

// markSnoozed is filed as a tag is, so that the few chats that are snoozed are found
// among all the others. No tag has such an id: they are made of letters and digits.
const markSnoozed = "@snoozed"

// tagged returns the entries of the tag index that a chat is in.
func tagged(r *Row) []TagRow {
	if r == nil || r.Listed == "" {
		return nil
	}
	marks := r.Tags
	if r.Snoozed {
		marks = append(slices.Clone(marks), markSnoozed)
	}
	out := make([]TagRow, len(marks))
	for i, t := range marks {
		out[i] = TagRow{
			TagKey{r.Listed, t, r.Status, r.Assignee, r.LastActivityAt, r.ID},
			r.Category, r.Team, r.Channel, r.HasUnread, r.Snoozed, r.CreatedAt, r.WaitingOrder,
		}
	}
	return out
}
