package transcript

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

// words says what a message holds, as text.
func words(c chat.Content) string {
	var parts []string
	add := func(label string, details ...string) {
		if d := join(details...); d != "" {
			label += ": " + d
		}
		parts = append(parts, "["+label+"]")
	}
	if m := c.Media; m != nil {
		add(c.Kind, m.Filename, m.MIMEType)
	}
	if l := c.Location; l != nil {
		add("location", l.Name, l.Address, degrees(l.Latitude)+" "+degrees(l.Longitude))
	}
	for _, card := range c.Cards {
		add("contact card", card.Name, join(card.Phones...), join(card.Emails...), card.Company)
	}
	if r := c.Reply; r != nil && (r.Title != c.Text || r.Description != "") {
		add("chosen", r.Title, r.Description)
	}
	if f := c.Flow; f != nil {
		add("form", f.Name, f.Body, string(f.Answers))
	}
	if c.Order != "" {
		add("order", c.Order)
	}
	if e := c.Error; e != nil {
		add("not shown by the provider", failure(e))
	}
	if c.Text != "" {
		parts = append(parts, c.Text)
	}
	if len(parts) == 0 {
		add(c.Kind)
	}
	return strings.Join(parts, "\n")
}

// join returns the parts that are not empty, with commas.
func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ", ")
}

func degrees(d float64) string { return strconv.FormatFloat(d, 'f', -1, 64) }

func failure(e *chat.DeliveryError) string {
	if e == nil {
		return ""
	}
	return join(strconv.Itoa(e.Code), e.Title, e.Details)
}

// name is what people call an author.
func (a Author) name() string { return cmp.Or(a.Name, a.ID, a.Kind) }

// sentence says what happened to the chat.
func (s *System) sentence() string {
	who := func(r *Ref) string {
		if r == nil {
			return ""
		}
		return r.label()
	}
	because := func(text string) string {
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		return text
	}
	was := ""
	if s.Was != nil {
		was = " (was " + s.Was.label() + ")"
	}
	switch s.Type {
	case "noticed":
		return "notice of the channel: " + cmp.Or(s.Text, s.Notice)
	case "details_shared":
		d := s.Details
		words := join(d.Name, join(d.Phones...), join(d.Emails...), d.Company, d.City, d.Country)
		if len(d.Emptied) > 0 {
			words = join(words, "no more "+join(d.Emptied...))
		}
		if d.Gone {
			return join("no contact any more", words)
		}
		return "details, " + d.Reason + ": " + words
	case "claimed":
		return "claimed by " + who(s.To)
	case "assigned":
		if s.From != nil {
			return "assigned to " + who(s.To) + ", from " + who(s.From)
		}
		return "assigned to " + who(s.To)
	case "unassigned":
		return "no longer assigned to " + who(s.From)
	case "transferred", "transfer_offered":
		from := ""
		if s.From != nil {
			from = " from " + who(s.From)
		}
		to := cmp.Or(who(s.To), "the bot")
		if s.ToKind == string(chat.ToTeam) {
			to = "team " + to
		}
		switch {
		case s.Type == "transfer_offered":
			return because("offered to " + to + " until " + s.Until.Format("2006-01-02 15:04"))
		case s.Accepted:
			to += ", accepted"
		}
		return because("transferred" + from + " to " + to)
	case "call_permission":
		switch {
		case s.Cause != "allowed":
			return "allows no calls"
		case s.Until != nil:
			return "allows calls until " + s.Until.Format("2006-01-02 15:04")
		}
		return "allows calls"
	case "transfer_lapsed":
		return because("the offer was " + map[string]string{
			string(chat.LapsedByRefusal): "declined", string(chat.LapsedByWithdrawal): "withdrawn", string(chat.LapsedByTime): "not accepted in time",
		}[s.Cause])
	case "tags_changed":
		return "tags: " + join(marked("+", s.Added), marked("-", s.Removed))
	case "status_set":
		return "status " + who(s.Status) + was
	case "closed":
		return "closed, status " + who(s.Status) + was
	case "reopened":
		return "reopened, status " + who(s.Status) + was
	case "deleted":
		return because("deleted")
	case "restored":
		return "restored"
	case "snoozed":
		if s.Until == nil {
			return "snoozed until the customer writes"
		}
		return "snoozed until " + s.Until.Format("2006-01-02 15:04")
	case "opted_out":
		return "takes no marketing any more"
	case "opted_in":
		return "takes marketing again"
	case "woken":
		return map[string]string{
			string(chat.WokenByTime): "back, the snooze is over", string(chat.WokenByReply): "back, the customer wrote", string(chat.WokenByAgent): "taken back from snooze",
		}[s.Reason]
	case "message_scheduled":
		return "to be sent at " + s.Until.Format("2006-01-02 15:04") + ": " + s.Text
	case "schedule_changed":
		return "now to be sent at " + s.Until.Format("2006-01-02 15:04") + ": " + s.Text
	case "schedule_cancelled":
		if s.Reason == string(chat.CancelledByReply) {
			return "a scheduled message is not sent: the customer wrote before"
		}
		return "a scheduled message is not sent: it was cancelled"
	case "schedule_failed":
		return "a scheduled message could not be sent: " + s.Reason
	case "reaction_failed":
		if s.Text == "" {
			return because("a reaction could not be taken back")
		}
		return because("the reaction " + s.Text + " did not reach the customer")
	case "call_requested":
		return "called " + s.Call.Phone
	case "call_ended":
		said := "call ended: " + s.Call.Outcome
		if s.Call.Duration > 0 {
			said += " after " + (time.Duration(s.Call.Duration) * time.Second).String()
		}
		if s.Call.Reason != "" {
			said += " (" + s.Call.Reason + ")"
		}
		return said
	}
	return s.Type
}

func marked(sign string, list []Ref) string {
	parts := make([]string, len(list))
	for i, r := range list {
		parts[i] = sign + r.label()
	}
	return join(parts...)
}

// text is what an entry says.
func (e *Entry) text() string {
	switch {
	case e.Message != nil:
		return words(e.Message.Content)
	case e.Note != nil:
		return e.Note.Text
	}
	return e.System.sentence()
}

// clock and day are how times are written for people.
const (
	clock = "15:04:05"
	day   = "Monday, 2 January 2006 (UTC-07:00)"
	full  = "2006-01-02 15:04:05"
)

// remarks are what is to be said about an entry besides its text.
func (e *Entry) remarks() (all []string) {
	if n := e.Note; n != nil && n.EditedAt != nil {
		edited := "edited " + n.EditedAt.Format(full)
		if n.EditedBy != nil {
			edited += " by " + n.EditedBy.label()
		}
		all = append(all, edited)
	}
	m := e.Message
	if m == nil {
		return all
	}
	if r := m.ReplyTo; r != nil {
		switch {
		case r.By != nil && r.At != nil:
			all = append(all, "reply to "+r.By.name()+", "+r.At.Format(full))
		case r.ProviderID != "":
			all = append(all, "reply to a message that is not here")
		}
		if r.Forwarded {
			all = append(all, "forwarded")
		}
	}
	if r := m.Referral; r != nil {
		all = append(all, "came from "+join(r.SourceType, r.Headline, r.Body, r.SourceURL))
	}
	if m.Delivery != nil {
		state := fmt.Sprintf("%s %s", m.Delivery.State, m.Delivery.At.Format(full))
		if m.Delivery.Error != nil {
			state += ": " + failure(m.Delivery.Error)
		}
		all = append(all, state)
	}
	for _, r := range m.Reactions {
		all = append(all, r.Emoji+" "+r.By.name()+", "+r.At.Format(full))
	}
	return all
}

// facts are what is to be said about the chat before its entries.
func (a About) facts() (all [][2]string) {
	add := func(name, value string) {
		if value != "" {
			all = append(all, [2]string{name, value})
		}
	}
	add("Customer", join(a.Customer.Name, a.Customer.ID))
	add("Channel", a.Channel.label())
	add("Workspace", a.Workspace.label())
	status := a.Status.label()
	if a.Deleted {
		status += ", deleted"
	}
	add("Status", status)
	if a.Assignee != nil {
		add("Assignee", a.Assignee.label())
	}
	if a.Team != nil {
		add("Team", a.Team.label())
	}
	var tags []string
	for _, t := range a.Tags {
		tags = append(tags, t.label())
	}
	add("Tags", join(tags...))
	add("Opened", a.OpenedAt.Format(full))
	add("Last event", a.LastEventAt.Format(full))
	add("Chat", fmt.Sprintf("%s, revision %d", a.Chat, a.Revision))
	add("As of", fmt.Sprintf("position %d of the log", a.AsOf))
	add("Times", a.TimeZone)
	switch {
	case a.Notes && a.Events:
		add("With", "notes and events")
	case a.Notes:
		add("With", "notes, without events")
	case a.Events:
		add("With", "events, without notes")
	default:
		add("With", "messages only")
	}
	return all
}
