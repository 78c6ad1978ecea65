package chat

import (
	"strings"
	"time"
)

// Known is what the chat itself knows about its customer: of each detail the one
// told last. It is for texts that name them.
type Known struct {
	Profile dated // the name in the channel
	Name    dated
	Phone   dated // the first of several
	Email   dated // the first of several
	Company dated
	City    dated
	Country dated
}

// dated is a value and when it was told, or taken away, in microseconds since 1970 UTC.
type dated struct {
	Value string
	at    int64
}

func (d *dated) tell(value string, at time.Time) {
	if value == "" || d.told() && at.UnixMicro() < d.at {
		return
	}
	d.at = at.UnixMicro()
	if d.Value != value {
		d.Value = strings.Clone(value) // an event read from the log is one string: do not keep all of it
	}
}

func (d dated) told() bool { return d.Value != "" || d.at != 0 }

func (d *dated) empty(at time.Time) {
	if at.UnixMicro() >= d.at {
		*d = dated{at: at.UnixMicro()}
	}
}

func (k *Known) tell(e DetailsShared) {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	k.Name.tell(e.Name, e.At)
	k.Phone.tell(first(e.Phones), e.At)
	k.Email.tell(first(e.Emails), e.At)
	k.Company.tell(e.Company, e.At)
	k.City.tell(e.City, e.At)
	k.Country.tell(e.Country, e.At)
	for _, detail := range e.Emptied {
		if d := k.detail(detail); d != nil {
			d.empty(e.At)
		}
	}
}

// detail returns what is known of a detail, nil if there is no such detail.
func (k *Known) detail(name string) *dated {
	switch name {
	case DetailName:
		return &k.Name
	case DetailEmails:
		return &k.Email
	case DetailPhones:
		return &k.Phone
	case DetailCompany:
		return &k.Company
	case DetailCity:
		return &k.City
	case DetailCountry:
		return &k.Country
	}
	return nil
}
