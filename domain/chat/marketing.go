package chat

import (
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Whether a customer takes marketing belongs to the number and the channel, so it is
// the chat's: also of somebody who is no contact, and however contacts are merged.

// MarketingReason says what made a customer opt out, or in again.
type MarketingReason string

// Reasons.
const (
	ByWord     MarketingReason = "word"     // the customer wrote one of the words
	ByStaff    MarketingReason = "agent"    // an agent says so
	ByProvider MarketingReason = "provider" // the provider says so
)

// codeStopped is Meta's error for a user who has stopped marketing messages of the
// business: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
const codeStopped = 131050

// MarketingWords are what a customer writes to opt out of marketing and in again.
// Without any, BuiltInWords holds.
type MarketingWords struct {
	Out, In []string
}

// BuiltInWords returns the words of a workspace that has set none.
func BuiltInWords() MarketingWords { return MarketingWords{outWords, inWords} }

var (
	outWords = []string{
		"stop", "stopp", "stopall", "unsubscribe", "optout", "opt out", "end", "quit", "abmelden", "abbestellen", "arret", "desabonner",
		"baja", "cancelar", "parar", "sair", "descadastrar", "disiscrivi", "annulla", "afmelden", "wypisz", "avsluta",
	}
	inWords = []string{"start", "unstop", "subscribe", "optin", "opt in", "anmelden", "alta", "iniciar", "comecar", "iscrivi", "aanmelden", "abonner"}
)

// marketing returns what a customer's text says about marketing, if it does: it is
// one of the words and nothing else.
func (s State) marketing(words MarketingWords, m MessageID, c Content, at time.Time) []Event {
	if c.Kind != "text" && c.Kind != "button" {
		return nil
	}
	if len(words.Out) == 0 {
		words = BuiltInWords()
	}
	said := text.Word(c.Text)
	is := func(w string) bool { return text.Word(w) == said }
	switch {
	case said == "":
	case !s.OptedOut && slices.ContainsFunc(words.Out, is):
		return []Event{OptedOut{Reason: ByWord, Message: m, At: at}}
	case s.OptedOut && slices.ContainsFunc(words.In, is):
		return []Event{OptedIn{Reason: ByWord, Message: m, At: at}}
	}
	return nil
}

// SetMarketing says whether the customer takes marketing. As it is already is no
// event.
type SetMarketing struct {
	Out  bool
	Note string // why
	By   AgentID
	At   time.Time
}

// Decide implements the command.
func (c SetMarketing) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := reasonText.Check(c.Note); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	switch {
	case s.OptedOut == c.Out:
		return nil, nil
	case c.Out:
		return []Event{OptedOut{Reason: ByStaff, By: c.By, Note: c.Note, At: c.At}}, nil
	}
	return []Event{OptedIn{Reason: ByStaff, By: c.By, Note: c.Note, At: c.At}}, nil
}

// SendCampaign queues a message of a campaign. It opens the chat if there is none,
// and leaves a closed one closed: an answer reopens it. The same message again is
// no event: each campaign has one for each customer of a channel.
type SendCampaign struct {
	Workspace       string
	Channel         string
	Customer        string
	DefaultStatus   string
	DefaultCategory Category
	Message         MessageID
	Campaign        string
	Outgoing
	By AgentID
	At time.Time
}

// Decide implements the command.
func (c SendCampaign) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "":
		return nil, ErrMessageMissing
	case c.By == "":
		return nil, ErrByMissing
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if _, known := s.Outbound[c.Message]; known {
		return nil, nil
	}
	switch {
	case s.Deleted:
		return nil, ErrNotFound
	case s.OptedOut:
		return nil, ErrOptedOut
	}
	events, err := open(s, Opened{
		Workspace: c.Workspace, Channel: c.Channel, Customer: c.Customer, Status: c.DefaultStatus, Category: c.DefaultCategory, At: c.At,
	})
	if err != nil {
		return nil, err
	}
	return append(events, MessageQueued{
		Message: c.Message, Text: c.Text, By: c.By, At: c.At, QuickReply: c.QuickReply, Template: c.Template, Campaign: c.Campaign,
	}), nil
}
