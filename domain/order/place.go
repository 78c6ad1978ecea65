package order

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/money"
)

// PlaceLine is one product of an order that is to be placed.
type PlaceLine struct {
	Product   string // the shop's id for it
	Name      string
	Quantity  int64
	UnitPrice int64 // minor units of the order's currency
}

// Place starts an order and works out its totals. An order that exists is no
// event; with an external id, it has to be the same order.
type Place struct {
	Workspace string
	Chat      string
	Channel   string
	Customer  string // the customer's id in the channel
	Message   string // the message that places it
	Source    string // SourceWhatsApp or SourceAPI
	External  string // the caller's id for it, which the order's id is made of; may be left out
	Catalog   string
	Comment   string
	Currency  string
	Lines     []PlaceLine
	At        time.Time
}

// Decide implements the command.
func (c Place) Decide(s State) ([]Event, error) {
	if err := checkHead(c.Workspace, c.Source, c.Comment); err != nil {
		return nil, err
	}
	if err := externalText.Check(c.External); err != nil {
		return nil, err
	}
	if _, known := money.Exponent(c.Currency); !known {
		return nil, ErrCurrency
	}
	switch {
	case len(c.Lines) == 0:
		return nil, ErrNoLines
	case len(c.Lines) > MaxLines:
		return nil, ErrTooManyLines
	}
	e := Placed{
		Workspace: c.Workspace, Chat: c.Chat, Channel: c.Channel, Customer: c.Customer, Message: c.Message,
		Source: c.Source, External: c.External, Catalog: c.Catalog, Comment: c.Comment, Currency: c.Currency, At: c.At,
		Lines: make([]Line, len(c.Lines)),
	}
	for i, l := range c.Lines {
		total, err := l.total(i)
		if err != nil {
			return nil, err
		}
		e.Lines[i] = Line{Product: l.Product, Name: l.Name, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Total: total}
		e.Items += l.Quantity // at most MaxLines times MaxQuantity
		if e.Total += total; e.Total > MaxAmount {
			return nil, ErrTooLarge
		}
	}
	switch {
	case s.Exists && c.External != "" && s.Content != e.content():
		return nil, ErrPlacedOtherwise
	case s.Exists:
		return nil, nil
	}
	return []Event{e}, nil
}

// content returns a hash of what was ordered, and for whom.
func (e Placed) content() [sha256.Size]byte {
	b, err := json.Marshal([]any{e.Chat, e.Currency, e.Comment, e.Lines})
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return sha256.Sum256(b)
}

// total returns what the i-th line comes to, or what is wrong with it.
func (l PlaceLine) total(i int) (int64, error) {
	if err := productText.Check(l.Product); err != nil {
		return 0, inLine(i, "product", err)
	}
	if err := wordText.Check(l.Name); err != nil {
		return 0, inLine(i, "name", err)
	}
	switch {
	case l.Quantity < 1 || l.Quantity > MaxQuantity:
		return 0, inLine(i, "quantity", ErrQuantity)
	case l.UnitPrice < 0:
		return 0, inLine(i, "unit_price", ErrUnitPrice)
	case l.UnitPrice > MaxAmount/l.Quantity:
		return 0, ErrTooLarge
	}
	return l.UnitPrice * l.Quantity, nil
}

// inLine returns a refusal as one of a field of the i-th line.
func inLine(i int, field string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	return f.At(fmt.Sprintf("lines[%d].%s", i, field))
}

// Refuse keeps an order that cannot be taken, as it came. An order that exists
// is no event.
type Refuse struct{ Refused }

// Decide implements the command.
func (c Refuse) Decide(s State) ([]Event, error) {
	if err := checkHead(c.Workspace, c.Source, ""); err != nil {
		return nil, err
	}
	if c.Code == "" {
		return nil, ErrCodeMissing
	}
	if s.Exists {
		return nil, nil
	}
	return []Event{c.Refused}, nil
}

func checkHead(workspace, source, comment string) error {
	switch {
	case workspace == "":
		return ErrWorkspace
	case source != SourceWhatsApp && source != SourceAPI:
		return ErrSource
	}
	return commentText.Check(comment)
}
