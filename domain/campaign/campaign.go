// Package campaign decides about one campaign: a template that is sent to everybody
// in an audience, once.
//
// A campaign is drafted, then launched, at once or at a time. Its audience is chosen
// then, at one position of the log, and worked in batches: each batch is planned,
// which says who gets what under which number, then done. So whoever goes on after a
// crash does what was planned, and the chat's own stream knows what is done.
//
// It is pure: no I/O, no clock, no randomness.
package campaign

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/text"
	"github.com/chatledger/chatledger/domain/quickreply"
)

// ID names a campaign.
type ID string

// Phase is where a campaign is.
type Phase string

// Phases.
const (
	Draft     Phase = "draft"
	Scheduled Phase = "scheduled" // for a time that is yet to come
	Selecting Phase = "selecting" // its audience is being chosen
	Running   Phase = "running"
	Paused    Phase = "paused"
	Completed Phase = "completed" // everybody was sent it, or was left out
	Cancelled Phase = "cancelled"
	Rejected  Phase = "rejected" // its audience could not be chosen
)

// Limits of a campaign.
const (
	MaxAudience = 200_000 // as of a group
	ChunkSize   = 500     // of the audience in an event, and of a batch at most
	MaxRate     = 60_000  // a minute
	DefaultRate = 600
	maxValues   = 100
	maxAhead    = 366 * 24 * time.Hour
)

// Values are what the template's variables get: texts with placeholders of the
// contact, such as "{{contact.first_name}}".
type Values struct {
	Header    map[string]string `json:"header,omitempty"`
	Body      map[string]string `json:"body,omitempty"`
	Buttons   map[string]string `json:"buttons,omitempty"`
	Link      string            `json:"link,omitempty"` // of a file in the header
	Filename  string            `json:"filename,omitempty"`
	Media     *File             `json:"media,omitempty"`     // in the header, instead of a link
	Fallbacks map[string]string `json:"fallbacks,omitempty"` // by placeholder, such as "contact.first_name": what stands in for a value that is missing
}

// File is a file that was uploaded to a chat of the workspace. Whoever asks for a campaign
// names it; what it is was found out then.
type File struct {
	Chat     string `json:"chat"`
	ID       string `json:"id"`
	Kind     string `json:"kind,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // in hex: it is kept under that
	Size     int64  `json:"size,omitempty"`   // bytes
	MIMEType string `json:"mime_type,omitempty"`
}

// SkipReason says why somebody in the audience was sent nothing.
type SkipReason string

// Reasons.
const (
	Deleted         SkipReason = "deleted"
	Blocked         SkipReason = "blocked"
	NoNumber        SkipReason = "no_number"
	OptedOut        SkipReason = "opted_out"
	MissingValue    SkipReason = "missing_value"
	DuplicateNumber SkipReason = "duplicate_number" // somebody else in the audience has it
	ChatDeleted     SkipReason = "chat_deleted"
	NotSent         SkipReason = "cancelled" // the campaign was cancelled first
	Refused         SkipReason = "refused"
)

// Recipient is somebody in the audience, and what became of them.
type Recipient struct {
	Contact  string     `json:"contact"`
	Customer string     `json:"customer,omitempty"` // their id in the channel
	Chat     string     `json:"chat,omitempty"`
	Message  string     `json:"message,omitempty"` // that was queued, if none of the next says otherwise
	Skipped  SkipReason `json:"skipped,omitempty"`
	Detail   string     `json:"detail,omitempty"` // such as which value is missing
}

// Event is a fact about a campaign, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Phase    Phase // "" before it is made
	Content  Created
	Due      time.Time // when it begins, or was to; zero: it began at once
	By       string    // who launched it
	At       time.Time // when its audience was asked for
	Audience int
	Next     int  // so many are done
	Step     int  // batches are counted by it, and what leads to the next
	Planned  bool // the next batch is
	LastAt   time.Time
	Last     int // so many were in the last batch
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Ready returns when the next batch may begin, that the rate is kept.
func (s State) Ready() time.Time {
	return s.LastAt.Add(time.Duration(s.Last) * time.Minute / time.Duration(s.Content.PerMinute))
}

// waits reports whether the campaign is scheduled and has not begun, paused or not.
func (s State) waits() bool { return s.Phase == Scheduled || s.Phase == Paused && s.Step == 0 }

// Batch returns how many the next batch has: a second of the rate, and none
// across two chunks.
func (s State) Batch() int {
	const perMinute = 60 // batches
	n := min(max(1, s.Content.PerMinute/perMinute), ChunkSize)
	return min(n, ChunkSize-s.Next%ChunkSize, s.Audience-s.Next)
}

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "campaign.not_found", "no such campaign")

	ErrLaunched   = fault.New(fault.Conflict, "campaign.launched", "the campaign was launched already")
	ErrNotRunning = fault.New(fault.Conflict, "campaign.not_running", "the campaign is not running")
	ErrNotPaused  = fault.New(fault.Conflict, "campaign.not_paused", "the campaign is not paused")
	ErrOver       = fault.New(fault.Conflict, "campaign.over", "the campaign is over")

	ErrNotScheduled = fault.New(fault.Conflict, "campaign.not_scheduled", "the campaign does not wait for a time: it is a draft, or has begun")

	ErrNameMissing = fault.Bad("name", "campaign.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "campaign.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "campaign.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrAudience    = fault.Bad("group", "campaign.audience", "name either a group or a filter; {} as filter means every contact")
	ErrChannel     = fault.Bad("channel", "campaign.channel_missing", "a channel is required")
	ErrTemplate    = fault.Bad("template", "campaign.template_missing", "a template is required")
	ErrOther       = fault.Bad("template", "campaign.template_of_another_channel", "the template is one of another channel")
	ErrValues      = fault.Bad("values", "campaign.bad_value", "a value is text with placeholders of the contact or the workspace, and at most 1,024 characters")
	ErrMedia       = fault.Bad("values.media", "campaign.bad_media", "name the chat that the file was uploaded to and its id, and no link besides")
	ErrNoMedia     = fault.Bad("values.media.id", "campaign.unknown_media", "no such file was uploaded to the chat")
	ErrMediaKind   = fault.Bad("values.media", "campaign.media_kind", "the header takes a file of another kind")
	ErrFallback    = fault.Bad("values.fallbacks", "campaign.bad_fallback", "a fallback is for a placeholder that a value has, and is not empty")
	ErrRate        = fault.Bad("per_minute", "campaign.bad_rate", "the rate is 1 to 60,000 a minute")
	ErrSchedule    = fault.Bad("schedule_at", "campaign.bad_schedule", "want a time to come, within a year")
	ErrBy          = fault.Bad("by", "campaign.by_missing", "who does it is required")
	ErrReasonLong  = fault.Bad("reason", "campaign.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReason      = fault.Bad("reason", "campaign.reason_invalid", "the reason is not UTF-8 or holds U+0000")
	ErrTooMany     = fault.Bad("group", "campaign.too_many", "more than 200,000 contacts are in the audience")
)

var (
	nameText   = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}
	reasonText = text.Rule{Max: text.MaxReason, TooLong: ErrReasonLong, Unclean: ErrReason}
	valueText  = text.Rule{Max: 1_024, Missing: ErrValues, TooLong: ErrValues, Unclean: ErrValues}
)

// Each calls visit with each text that may have placeholders.
func (v Values) Each(visit func(s string) error) error {
	for _, part := range []map[string]string{v.Header, v.Body, v.Buttons} {
		for _, s := range part {
			if err := visit(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v Values) check() error {
	if len(v.Header)+len(v.Body)+len(v.Buttons) > maxValues || len(v.Link) > 2_000 || len(v.Filename) > 200 {
		return ErrValues
	}
	if m := v.Media; m != nil && (v.Link != "" || m.Chat == "" || m.ID == "" || len(m.Chat) > 200 || len(m.ID) > 200) {
		return ErrMedia
	}
	var names []string
	err := v.Each(func(s string) error {
		if err := valueText.Check(s); err != nil {
			return err
		}
		t, err := quickreply.Parse(s)
		if err != nil {
			if f, ok := errors.AsType[*fault.Error](err); ok {
				return ErrValues.With("a value cannot be read: " + f.Msg)
			}
			return err
		}
		for _, n := range t.Names() {
			if !strings.HasPrefix(n, "contact.") && n != "workspace.name" {
				return ErrValues.With("{{" + n + "}} has no value in a campaign")
			}
			names = append(names, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, s := range v.Fallbacks {
		if !slices.Contains(names, name) || strings.TrimSpace(s) == "" || !text.Clean(s) || len(s) > text.MaxReason {
			return ErrFallback
		}
	}
	return nil
}

// Create drafts a campaign. Once more is no event.
type Create struct {
	Workspace string
	Name      string
	Group     string // its members are the audience; "" if Filter chooses it
	Filter    []byte // JSON
	Channel   string
	Template  string
	Values    Values
	PerMinute int // 0: DefaultRate
	By        string
	At        time.Time
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	if s.Phase != "" {
		return nil, nil // the same id: the same request
	}
	if err := nameText.Check(c.Name); err != nil {
		return nil, err
	}
	if c.PerMinute == 0 {
		c.PerMinute = DefaultRate
	}
	switch {
	case (c.Group == "") == (c.Filter == nil), len(c.Group) > 200 || !text.Clean(c.Group):
		return nil, ErrAudience
	case c.Channel == "":
		return nil, ErrChannel
	case c.Template == "":
		return nil, ErrTemplate
	case c.PerMinute < 1 || c.PerMinute > MaxRate:
		return nil, ErrRate
	case c.By == "":
		return nil, ErrBy
	}
	if _, err := filter.Parse(filter.Contacts, c.Filter); err != nil {
		return nil, err
	}
	if err := c.Values.check(); err != nil {
		return nil, err
	}
	return []Event{Created{
		Workspace: c.Workspace, Name: strings.TrimSpace(c.Name), Group: c.Group, Filter: json.RawMessage(c.Filter), Channel: c.Channel,
		Template: c.Template, Values: c.Values, PerMinute: c.PerMinute, By: c.By, At: c.At,
	}}, nil
}

// Launch has a campaign begin, now or at a time.
type Launch struct {
	Due time.Time // zero: now
	By  string
	At  time.Time
}

// Decide implements the command.
func (c Launch) Decide(s State) ([]Event, error) {
	due := c.Due.UTC().Truncate(time.Microsecond)
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase != Draft:
		return nil, ErrLaunched
	case c.By == "":
		return nil, ErrBy
	case c.Due.IsZero():
		return []Event{Launched{By: c.By, At: c.At}, Started{At: c.At}}, nil
	case !ahead(due, c.At):
		return nil, ErrSchedule
	}
	return []Event{Launched{Due: due, By: c.By, At: c.At}}, nil
}

// ahead reports whether a campaign may be scheduled for due.
func ahead(due, now time.Time) bool { return due.After(now) && !due.After(now.Add(maxAhead)) }

// Reschedule gives a campaign that has not begun another time. The one it has is no
// event.
type Reschedule struct {
	Due time.Time
	By  string
	At  time.Time
}

// Decide implements the command.
func (c Reschedule) Decide(s State) ([]Event, error) {
	due := c.Due.UTC().Truncate(time.Microsecond)
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase == Completed || s.Phase == Cancelled || s.Phase == Rejected:
		return nil, ErrOver
	case !s.waits():
		return nil, ErrNotScheduled
	case c.By == "":
		return nil, ErrBy
	case due.Equal(s.Due):
		return nil, nil
	case !ahead(due, c.At):
		return nil, ErrSchedule
	}
	return []Event{Rescheduled{Due: due, By: c.By, At: c.At}}, nil
}

// Start begins what is due. What is not, or no more, is no event.
type Start struct {
	At time.Time
}

// Decide implements the command.
func (c Start) Decide(s State) ([]Event, error) {
	if s.Phase != Scheduled || c.At.Before(s.Due) {
		return nil, nil
	}
	return []Event{Started(c)}, nil
}

// Freeze records the audience.
type Freeze struct {
	Contacts []string
	Position int64  // of the log, that the audience reflects
	Code     string // why it cannot be chosen; "" if it can
	Reason   string
	At       time.Time
}

// Decide implements the command. An audience that was frozen already stays.
func (c Freeze) Decide(s State) ([]Event, error) {
	if s.Phase != Selecting {
		return nil, nil
	}
	if len(c.Contacts) > MaxAudience {
		c.Code, c.Reason = ErrTooMany.Code, ErrTooMany.Msg
	}
	if c.Code != "" {
		return []Event{AudienceRefused{Code: c.Code, Reason: c.Reason, At: c.At}}, nil
	}
	var events []Event
	for part := range slices.Chunk(c.Contacts, ChunkSize) {
		events = append(events, AudienceChosen{Chunk: len(events), Contacts: part})
	}
	events = append(events, Frozen{Step: s.Step + 1, Contacts: len(c.Contacts), Position: c.Position, At: c.At})
	if len(c.Contacts) == 0 {
		events = append(events, Ended{At: c.At})
	}
	return events, nil
}

// Plan says who of the next batch gets what. A plan that is there stays.
type Plan struct {
	Step       int
	Recipients []Recipient
}

// Decide implements the command.
func (c Plan) Decide(s State) ([]Event, error) {
	if s.Phase != Running || s.Planned || s.Step != c.Step {
		return nil, nil
	}
	return []Event{BatchPlanned{Step: c.Step, From: s.Next, Recipients: c.Recipients}}, nil
}

// Record says what became of the batch that was planned.
type Record struct {
	Step       int
	Recipients []Recipient
	At         time.Time
}

// Decide implements the command. What was planned is recorded, even if the campaign
// was paused or cancelled since.
func (c Record) Decide(s State) ([]Event, error) {
	if !s.Planned || s.Step != c.Step {
		return nil, nil
	}
	events := []Event{BatchDone{Step: s.Step + 1, From: s.Next, Recipients: c.Recipients, At: c.At}}
	if s.Next+len(c.Recipients) == s.Audience && (s.Phase == Running || s.Phase == Paused) {
		events = append(events, Ended{At: c.At})
	}
	return events, nil
}

// Pause stops a campaign for a while, also before it begins. Paused already is no event.
type Pause struct {
	By     string
	Reason string
	At     time.Time
}

// Decide implements the command.
func (c Pause) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	switch s.Phase {
	case "":
		return nil, ErrNotFound
	case Paused:
		return nil, nil
	case Running, Scheduled:
		return []Event{CampaignPaused(c)}, nil
	case Completed, Cancelled, Rejected:
		return nil, ErrOver
	case Draft, Selecting:
	}
	return nil, ErrNotRunning
}

// Resume goes on with a campaign that was paused: one that had not begun begins at its
// time, or now if that has come. Not paused is no event.
type Resume struct {
	By string
	At time.Time
}

// Decide implements the command.
func (c Resume) Decide(s State) ([]Event, error) {
	switch s.Phase {
	case "":
		return nil, ErrNotFound
	case Running, Scheduled:
		return nil, nil
	case Paused:
		if s.waits() {
			events := []Event{Resumed{Due: s.Due, By: c.By, At: c.At}}
			if !c.At.Before(s.Due) {
				events = append(events, Started{At: c.At})
			}
			return events, nil
		}
		step := s.Step + 1
		if s.Planned { // the batch that is planned goes by its own step
			step = s.Step
		}
		return []Event{Resumed{Step: step, By: c.By, At: c.At}}, nil
	case Completed, Cancelled, Rejected:
		return nil, ErrOver
	case Draft, Selecting:
	}
	return nil, ErrNotPaused
}

// Cancel ends a campaign. What was queued is sent. Cancelled already is no event.
type Cancel struct {
	By     string
	Reason string
	At     time.Time
}

// Decide implements the command.
func (c Cancel) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	switch s.Phase {
	case "":
		return nil, ErrNotFound
	case Cancelled:
		return nil, nil
	case Completed, Rejected:
		return nil, ErrOver
	case Draft, Scheduled, Selecting, Running, Paused:
	}
	return []Event{CampaignCancelled(c)}, nil
}
