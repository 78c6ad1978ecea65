package campaign

import (
	"encoding/json"
	"time"
)

// Events is the catalogue of everything that can happen to a campaign.
var Events = []Event{
	Created{},
	Launched{},
	Started{},
	AudienceChosen{},
	Frozen{},
	AudienceRefused{},
	BatchPlanned{},
	BatchDone{},
	CampaignPaused{},
	Resumed{},
	Rescheduled{},
	CampaignCancelled{},
	Ended{},
}

// Created drafts a campaign.
type Created struct {
	Workspace string          `json:"workspace"`
	Name      string          `json:"name"`
	Group     string          `json:"group,omitempty"`  // whose members are the audience
	Filter    json.RawMessage `json:"filter,omitempty"` // or what chooses it from the contacts
	Channel   string          `json:"channel"`
	Template  string          `json:"template"` // its id
	Values    Values          `json:"values"`
	PerMinute int             `json:"per_minute"`
	By        string          `json:"by"`
	At        time.Time       `json:"at"`
}

// Launched has a campaign begin.
type Launched struct {
	Due time.Time `json:"due,omitzero"` // UTC; absent: at once
	By  string    `json:"by"`
	At  time.Time `json:"at"`
}

// Started says that the campaign begins: its audience is chosen next.
type Started struct {
	At time.Time `json:"at"`
}

// AudienceChosen is a part of the audience. All parts are recorded at once, with
// Frozen.
type AudienceChosen struct {
	Chunk    int      `json:"chunk"`
	Contacts []string `json:"contacts"`
}

// Frozen ends the choice of the audience.
type Frozen struct {
	Step     int       `json:"step"`
	Contacts int       `json:"contacts"`
	Position int64     `json:"position"` // of the log, that the audience reflects
	At       time.Time `json:"at"`
}

// AudienceRefused ends a campaign whose audience cannot be chosen.
type AudienceRefused struct {
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// BatchPlanned says who of the next of the audience is to be sent something, under
// which number.
type BatchPlanned struct {
	Step       int         `json:"step"`
	From       int         `json:"from"` // so many were done before
	Recipients []Recipient `json:"recipients"`
}

// BatchDone says what became of what was planned.
type BatchDone struct {
	Step       int         `json:"step"` // of the next batch
	From       int         `json:"from"`
	Recipients []Recipient `json:"recipients"`
	At         time.Time   `json:"at"`
}

// CampaignPaused stops a campaign for a while. One that has not begun does not begin.
type CampaignPaused struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Resumed goes on with it.
type Resumed struct {
	Step int       `json:"step"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Due  time.Time `json:"due,omitzero"` // UTC; of one that had not begun: for when it is scheduled
}

// Rescheduled gives a campaign that has not begun another time. One that is paused stays
// so.
type Rescheduled struct {
	Due time.Time `json:"due"` // UTC
	By  string    `json:"by"`
	At  time.Time `json:"at"`
}

// CampaignCancelled ends a campaign before its time.
type CampaignCancelled struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Ended says that everybody in the audience was sent the message, or left out.
type Ended struct {
	At time.Time `json:"at"`
}

// EventType names Created in the log.
func (Created) EventType() string { return "campaign.created.v1" }

// EventType names Launched in the log.
func (Launched) EventType() string { return "campaign.launched.v1" }

// EventType names Started in the log.
func (Started) EventType() string { return "campaign.started.v1" }

// EventType names AudienceChosen in the log.
func (AudienceChosen) EventType() string { return "campaign.audience_chosen.v1" }

// EventType names Frozen in the log.
func (Frozen) EventType() string { return "campaign.audience_frozen.v1" }

// EventType names AudienceRefused in the log.
func (AudienceRefused) EventType() string { return "campaign.audience_refused.v1" }

// EventType names BatchPlanned in the log.
func (BatchPlanned) EventType() string { return "campaign.batch_planned.v1" }

// EventType names BatchDone in the log.
func (BatchDone) EventType() string { return "campaign.batch_done.v1" }

// EventType names CampaignPaused in the log.
func (CampaignPaused) EventType() string { return "campaign.paused.v1" }

// EventType names Resumed in the log.
func (Resumed) EventType() string { return "campaign.resumed.v1" }

// EventType names Rescheduled in the log.
func (Rescheduled) EventType() string { return "campaign.rescheduled.v1" }

// EventType names CampaignCancelled in the log.
func (CampaignCancelled) EventType() string { return "campaign.cancelled.v1" }

// EventType names Ended in the log.
func (Ended) EventType() string { return "campaign.completed.v1" }

func (e Created) apply(s *State) { s.Phase, s.Content = Draft, e }

func (e Launched) apply(s *State) { s.Phase, s.Due, s.By = Scheduled, e.Due, e.By }

func (e Started) apply(s *State) { s.Phase, s.At = Selecting, e.At }

func (AudienceChosen) apply(*State) {}

func (e Frozen) apply(s *State) { s.Phase, s.Step, s.Audience = Running, e.Step, e.Contacts }

func (AudienceRefused) apply(s *State) { s.Phase = Rejected }

func (BatchPlanned) apply(s *State) { s.Planned = true }

func (e BatchDone) apply(s *State) {
	s.Planned, s.Step, s.Next = false, e.Step, e.From+len(e.Recipients)
	s.LastAt, s.Last = e.At, len(e.Recipients)
}

func (CampaignPaused) apply(s *State) { s.Phase = Paused }

func (e Resumed) apply(s *State) {
	if s.Phase, s.Step = Running, e.Step; !e.Due.IsZero() {
		s.Phase = Scheduled
	}
}

func (e Rescheduled) apply(s *State) { s.Due = e.Due }

func (CampaignCancelled) apply(s *State) { s.Phase = Cancelled }

func (Ended) apply(s *State) { s.Phase = Completed }
