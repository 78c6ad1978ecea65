// Package visitor is the profile of the person in a chat: each detail with who
// gave it, when and how.
//
// It folds and reads; it decides nothing. Each field is what was said last, by
// the time in the event, and of the same time by the position in the log. The name of the
// profile in the channel and the name that was shared are two fields: a profile
// that changes does not undo what somebody told.
package visitor

import (
	"cmp"
	"slices"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/projections"
)

// maxKept is how many e-mail addresses, and how many numbers, are kept.
const maxKept = 50

// Projection keeps the profiles up to date.
type Projection struct {
	profiles *projections.Rows[string, Row]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("visitor_v2_profiles", func(r *Row) string { return r.Chat })}
}

// Name returns the name under which the profiles are published in this form: in
// visitor.v1 ids decided which of what was said at one time was said last.
func (*Projection) Name() string { return "visitor.v2" }

// Categories returns the one category of streams that profiles are made of.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of profiles.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.profiles} }

// Apply records what e says about the visitor.
func (p *Projection) Apply(e projections.Event) {
	id := e.Subject()
	// Every event of a chat moves the revision, so that a reader's If-Match is
	// never out of date.
	change := func(fold func(*Row)) {
		p.profiles.Update(id, func(r *Row) {
			fold(r)
			r.derive()
			r.Revision = int64(e.Revision)
		})
	}
	switch f := e.Fact.(type) {
	case chat.Opened:
		p.profiles.Upsert(id, func(r *Row) {
			r.Chat, r.Workspace, r.Channel, r.Customer = id, f.Workspace, f.Channel, f.Customer
			r.seen(f.At.UnixMicro())
			r.derive()
			r.Revision = int64(e.Revision)
		})
	case chat.MessageReceived:
		at := f.At.UnixMicro()
		name := Field{f.ProfileName, Source{
			Kind: FromProfile, By: e.Meta.Actor, ByKind: e.Meta.ActorKind,
			Message: string(f.Message), Revision: int64(e.Revision), At: at,
		}}
		change(func(r *Row) {
			r.seen(at)
			r.LastActAt = max(r.LastActAt, at)
			r.Fields.ProfileName = later(r.Fields.ProfileName, name)
		})
	case chat.ReactionReceived:
		at := f.At.UnixMicro()
		change(func(r *Row) {
			r.seen(at)
			r.LastActAt = max(r.LastActAt, at)
		})
	case chat.SystemNoticed:
		change(func(r *Row) { r.seen(f.At.UnixMicro()) })
	case chat.DetailsShared:
		change(func(r *Row) { r.shared(e, f) })
	default:
		change(func(*Row) {})
	}
}

// seen notes that the customer did something at a time.
func (r *Row) seen(at int64) {
	if r.FirstSeen == 0 || at < r.FirstSeen {
		r.FirstSeen = at
	}
}

// shared takes details in.
func (r *Row) shared(e projections.Event, f chat.DetailsShared) {
	at := f.At.UnixMicro()
	s := Source{
		Kind: string(f.Reason), By: e.Meta.Actor, ByKind: e.Meta.ActorKind,
		Message: string(f.Message), Revision: int64(e.Revision), At: at,
	}
	if f.Message == "" {
		s.Event = e.ID.String()
	}
	if f.By != "" {
		s.By, s.ByKind = string(f.By), "agent"
	}
	if f.Gone {
		r.IsContact, r.ContactReason, r.ContactAt = false, "", 0
	} else if !r.IsContact || at < r.ContactAt {
		r.IsContact, r.ContactReason, r.ContactAt = true, string(f.Reason), at
	}
	set := func(field *Field, value string) { *field = later(*field, Field{value, s}) }
	set(&r.Fields.Name, f.Name)
	set(&r.Fields.Company, f.Company)
	set(&r.Fields.City, f.City)
	set(&r.Fields.Country, f.Country)
	if len(f.Emails) > 0 {
		set(&r.Fields.Email, f.Emails[0])
		r.Emails = since(r.Fields.EmailsGone, collect(r.Emails, f.Emails, s))
	}
	if len(f.Phones) > 0 {
		set(&r.Fields.Phone, f.Phones[0])
		r.Phones = since(r.Fields.PhonesGone, collect(r.Phones, f.Phones, s))
	}
	for _, detail := range f.Emptied {
		r.empty(detail, s)
	}
}

// empty takes a detail away: what was told before counts no more.
func (r *Row) empty(detail string, by Source) {
	gone := Field{Source: by}
	fields := map[string]*Field{
		chat.DetailName: &r.Fields.Name, chat.DetailEmails: &r.Fields.Email, chat.DetailPhones: &r.Fields.Phone,
		chat.DetailCompany: &r.Fields.Company, chat.DetailCity: &r.Fields.City, chat.DetailCountry: &r.Fields.Country,
	}
	if f := fields[detail]; f != nil && compare(*f, gone) < 0 {
		*f = gone
	}
	switch detail {
	case chat.DetailEmails:
		r.Fields.EmailsGone = latest(r.Fields.EmailsGone, by)
		r.Emails = since(by, slices.Clone(r.Emails))
	case chat.DetailPhones:
		r.Fields.PhonesGone = latest(r.Fields.PhonesGone, by)
		r.Phones = since(by, slices.Clone(r.Phones))
	}
}

func latest(a, b Source) Source {
	if compare(Field{Source: a}, Field{Source: b}) > 0 {
		return a
	}
	return b
}

// since returns what of list was told after something. It changes list.
func since(gone Source, list []Field) []Field {
	return slices.DeleteFunc(list, func(f Field) bool { return compare(f, Field{Source: gone}) < 0 })
}

// compare orders fields by when they were said. Those that one event said are equal.
func compare(a, b Field) int {
	return cmp.Or(cmp.Compare(a.Source.At, b.Source.At), cmp.Compare(a.Source.Revision, b.Source.Revision))
}

// later returns what was said last of a and b. Nothing is never later.
func later(a, b Field) Field {
	if b.Value == "" || a != (Field{}) && compare(a, b) >= 0 {
		return a
	}
	return b
}

// collect returns list with values, each with the source that gave it last: the
// latest first, and those of one source in its order. It leaves list alone.
func collect(list []Field, values []string, s Source) []Field {
	out := slices.Clone(list)
	for _, v := range values {
		if v == "" {
			continue
		}
		f := Field{v, s}
		i := slices.IndexFunc(out, func(o Field) bool { return o.Value == v })
		if i >= 0 && compare(out[i], f) >= 0 {
			continue
		}
		if i >= 0 {
			out = slices.Delete(out, i, i+1)
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Field) int { return compare(b, a) })
	return out[:min(maxKept, len(out))]
}

// derive sets the columns that follow from others.
func (r *Row) derive() {
	r.LastSeen = max(r.LastActAt, r.FirstSeen)
	r.Email = r.Fields.Email.Value
	r.Phone = r.phone().Value
	r.Name = r.Customer
	if v := r.Fields.ProfileName.Value; v != "" {
		r.Name = v
	}
	if v := r.Fields.Name.Value; v != "" {
		r.Name = v
	}
}

// phone returns the number that was shared, else the one that the customer
// writes from.
func (r *Row) phone() Field {
	if r.Fields.Phone.Value != "" || r.Customer == "" {
		return r.Fields.Phone
	}
	for _, c := range []byte(r.Customer) {
		if c < '0' || c > '9' {
			return Field{}
		}
	}
	return Field{"+" + r.Customer, Source{Kind: FromChannel, By: r.Customer, ByKind: "customer", At: r.FirstSeen}}
}
