package chat

import (
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of the details that an agent types in. What a customer shares is
// limited by the size of a webhook.
const (
	maxDetail  = 1_000 // runes of each
	maxDetails = 100   // e-mail addresses, and phone numbers
)

// Names of details in what is emptied.
const (
	DetailName    = "name"
	DetailEmails  = "emails"
	DetailPhones  = "phones"
	DetailCompany = "company"
	DetailCity    = "city"
	DetailCountry = "country"
)

// Details lists them.
func Details() []string {
	return []string{DetailName, DetailEmails, DetailPhones, DetailCompany, DetailCity, DetailCountry}
}

// ShareDetails makes the visitor a contact. Details that say the same at the
// same time as the latest ones are no event.
type ShareDetails struct {
	Reason  ContactReason
	Name    string
	Emails  []string
	Phones  []string
	Company string
	City    string
	Country string
	Message MessageID // the message that held them
	By      AgentID   // the agent who typed them in
	Emptied []string  // details that are taken away, as in DetailsShared
	At      time.Time
}

// Decide implements the command. A name, an address or a number is needed,
// except from a chatflow, whose answers may mark a visitor without any.
func (c ShareDetails) Decide(s State) ([]Event, error) {
	e := DetailsShared{
		Reason: c.Reason, Name: strings.TrimSpace(c.Name), Emails: each(c.Emails), Phones: each(c.Phones),
		Company: strings.TrimSpace(c.Company), City: strings.TrimSpace(c.City), Country: strings.TrimSpace(c.Country),
		Message: c.Message, By: c.By, Emptied: c.Emptied, At: c.At,
	}
	switch e.Reason {
	case ByContactCard, ByForm, ByImport, ByAgent:
		if e.Name == "" && len(e.Emails) == 0 && len(e.Phones) == 0 && len(e.Emptied) == 0 {
			return nil, ErrNoDetails
		}
	case ByChatflow:
	default:
		return nil, ErrContactReason
	}
	if e.Reason == ByAgent && e.By == "" {
		return nil, ErrByMissing
	}
	if e.By != "" && max(len(e.Emails), len(e.Phones)) > maxDetails {
		return nil, ErrTooManyDetails
	}
	for _, d := range slices.Concat([]string{e.Name, e.Company, e.City, e.Country}, e.Emails, e.Phones) {
		if !text.Clean(d) || e.By != "" && len([]rune(d)) > maxDetail {
			return nil, ErrDetailsInvalid
		}
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if e.same(s.Details) {
		return nil, nil
	}
	return []Event{e}, nil
}

func (e DetailsShared) same(o DetailsShared) bool {
	return e.Reason == o.Reason && e.Name == o.Name &&
		slices.Equal(e.Emails, o.Emails) && slices.Equal(e.Phones, o.Phones) &&
		e.Company == o.Company && e.City == o.City && e.Country == o.Country &&
		e.Message == o.Message && e.By == o.By && slices.Equal(e.Emptied, o.Emptied) && e.At.Equal(o.At)
}

// each returns the values without spaces around, none empty, each once.
func each(values []string) (kept []string) {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}
