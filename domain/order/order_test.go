package order_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/order"
)

type (
	past    = []order.Event
	cases   = []domaintest.Case[order.State, order.Event]
	command = domaintest.Command[order.State, order.Event]
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	placed  = order.Placed{Workspace: "acme", Source: order.SourceAPI, Lines: []order.Line{{Product: "p", Quantity: 1, UnitPrice: 5, Total: 5}}, Items: 1, Total: 5, Currency: "EUR", At: noon}
	shipped = order.Shipped{Carrier: "DHL", Tracking: "123"}
	refused = order.Refused{
		Workspace: "acme", Source: order.SourceWhatsApp, Code: order.ErrMixedCurrencies.Code, Reason: "EUR and USD",
		Lines: []order.RefusedLine{{Product: "p", Quantity: "1", Price: "5", Currency: "EUR"}}, At: noon,
	}
)

func run(t *testing.T, c cases) { t.Helper(); domaintest.Run(t, order.Evolve, c) }

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, order.Events) }

func TestPlace(t *testing.T) {
	base := order.Place{
		Workspace: "acme", Chat: "c", Channel: "wa", Customer: "33", Message: "m", Source: order.SourceWhatsApp, Catalog: "cat", Comment: "soon please",
		Currency: "EUR", At: noon,
		Lines: []order.PlaceLine{{Product: "lamp", Name: "Lamp", Quantity: 2, UnitPrice: 1999}, {Product: "bulb", Quantity: 3, UnitPrice: 750}},
	}
	with := func(change func(*order.Place)) order.Place { c := base; change(&c); return c }
	lines := func(l ...order.PlaceLine) order.Place { return with(func(c *order.Place) { c.Lines = l }) }
	line := order.PlaceLine{Product: "p", Quantity: 1, UnitPrice: 1}
	full := slices.Repeat([]order.PlaceLine{line}, order.MaxLines)
	then := order.Placed{
		Workspace: "acme", Chat: "c", Channel: "wa", Customer: "33", Message: "m", Source: order.SourceWhatsApp, Catalog: "cat", Comment: "soon please",
		Lines: []order.Line{{Product: "lamp", Name: "Lamp", Quantity: 2, UnitPrice: 1999, Total: 3998}, {Product: "bulb", Quantity: 3, UnitPrice: 750, Total: 2250}},
		Items: 5, Total: 6248, Currency: "EUR", At: noon,
	}
	free := then
	free.Lines, free.Items, free.Total = []order.Line{{Product: "p", Quantity: 1_000_000}}, 1_000_000, 0
	most := then
	most.Lines, most.Items, most.Total = []order.Line{{Product: "p", Quantity: 1, UnitPrice: order.MaxAmount, Total: order.MaxAmount}}, 1, order.MaxAmount
	known := func(external string, at time.Time) order.Place {
		return with(func(c *order.Place) { c.External, c.At = external, at })
	}
	named := then
	named.External = "A-1"
	run(t, cases{
		{Name: "with an external id", When: known("A-1", noon), Then: past{named}},
		{Name: "the same external id, later", Given: past{named}, When: known("A-1", noon.Add(time.Hour))},
		{Name: "the same external id, something else", Given: past{named}, When: with(func(c *order.Place) { c.External, c.Currency = "A-1", "USD" }), Err: order.ErrPlacedOtherwise},
		{Name: "a long external id", When: known(strings.Repeat("a", 201), noon), Err: order.ErrExternalLong},
		{Name: "NUL in the external id", When: known("\x00", noon), Err: order.ErrExternal},
		{Name: "totals", When: base, Then: past{then}},
		{Name: "again", Given: past{then}, When: base},
		{Name: "after it was refused", Given: past{refused}, When: base},
		{Name: "free, and many", When: lines(order.PlaceLine{Product: "p", Quantity: 1_000_000}), Then: past{free}},
		{Name: "dear", When: lines(order.PlaceLine{Product: "p", Quantity: 1, UnitPrice: order.MaxAmount}), Then: past{most}},
		{Name: "a line too dear", When: lines(order.PlaceLine{Product: "p", Quantity: 2, UnitPrice: order.MaxAmount/2 + 1}), Err: order.ErrTooLarge},
		{Name: "an overflowing line", When: lines(order.PlaceLine{Product: "p", Quantity: 1_000_000, UnitPrice: 1<<63 - 1}), Err: order.ErrTooLarge},
		{Name: "a line that would wrap to nothing", When: lines(order.PlaceLine{Product: "p", Quantity: 4, UnitPrice: 1 << 62}), Err: order.ErrTooLarge},
		{Name: "a total too dear", When: lines(order.PlaceLine{Product: "p", Quantity: 1, UnitPrice: order.MaxAmount}, line), Err: order.ErrTooLarge},
		{Name: "no lines", When: lines(), Err: order.ErrNoLines},
		{Name: "too many lines", When: lines(append(full, line)...), Err: order.ErrTooManyLines},
		{Name: "no product", When: lines(order.PlaceLine{Quantity: 1}), Err: order.ErrProductMissing.At("lines[0].product")},
		{Name: "no product in the second line", When: lines(line, order.PlaceLine{Quantity: 1}), Err: order.ErrProductMissing.At("lines[1].product")},
		{Name: "none of it", When: lines(order.PlaceLine{Product: "p"}), Err: order.ErrQuantity.At("lines[0].quantity")},
		{Name: "less than none", When: lines(order.PlaceLine{Product: "p", Quantity: -1}), Err: order.ErrQuantity.At("lines[0].quantity")},
		{Name: "too many of it", When: lines(order.PlaceLine{Product: "p", Quantity: 1_000_001}), Err: order.ErrQuantity.At("lines[0].quantity")},
		{Name: "a price below zero", When: lines(order.PlaceLine{Product: "p", Quantity: 1, UnitPrice: -1}), Err: order.ErrUnitPrice.At("lines[0].unit_price")},
		{Name: "a long name", When: lines(order.PlaceLine{Product: "p", Name: strings.Repeat("a", 1001), Quantity: 1}), Err: order.ErrTextTooLong.At("lines[0].name")},
		{Name: "NUL in a product", When: lines(order.PlaceLine{Product: "p\x00", Quantity: 1}), Err: order.ErrTextInvalid.At("lines[0].product")},
		{Name: "NUL in the comment", When: with(func(c *order.Place) { c.Comment = "\x00" }), Err: order.ErrTextInvalid},
		{Name: "unknown currency", When: with(func(c *order.Place) { c.Currency = "EURO" }), Err: order.ErrCurrency},
		{Name: "unknown source", When: with(func(c *order.Place) { c.Source = "fax" }), Err: order.ErrSource},
		{Name: "no workspace", When: with(func(c *order.Place) { c.Workspace = "" }), Err: order.ErrWorkspace},
	})
}

func TestRefuse(t *testing.T) {
	with := func(change func(*order.Refused)) order.Refuse {
		c := refused
		change(&c)
		return order.Refuse{Refused: c}
	}
	run(t, cases{
		{Name: "kept", When: order.Refuse{Refused: refused}, Then: past{refused}},
		{Name: "again", Given: past{refused}, When: order.Refuse{Refused: refused}},
		{Name: "after it was placed", Given: past{placed}, When: order.Refuse{Refused: refused}},
		{Name: "without a code", When: with(func(r *order.Refused) { r.Code = "" }), Err: order.ErrCodeMissing},
		{Name: "unknown source", When: with(func(r *order.Refused) { r.Source = "" }), Err: order.ErrSource},
		{Name: "no workspace", When: with(func(r *order.Refused) { r.Workspace = "" }), Err: order.ErrWorkspace},
	})
}

func TestLifecycle(t *testing.T) {
	road := past{placed, order.Confirmed{}, order.ProcessingStarted{}, shipped, order.Delivered{}}
	long := strings.Repeat("a", 1001)
	run(t, cases{
		{Name: "confirm", Given: road[:1], When: order.Confirm{}, Then: past{order.Confirmed{}}},
		{Name: "process", Given: road[:2], When: order.Process{}, Then: past{order.ProcessingStarted{}}},
		{Name: "ship", Given: road[:3], When: order.Ship{Carrier: "DHL", Tracking: "123"}, Then: past{shipped}},
		{Name: "ship again", Given: road[:4], When: order.Ship{Carrier: "DHL", Tracking: "123"}},
		{Name: "ship again otherwise", Given: road[:4], When: order.Ship{Carrier: "UPS"}, Err: order.ErrShippedOtherwise},
		{Name: "ship with a long number", Given: road[:3], When: order.Ship{Tracking: long}, Err: order.ErrTrackingTooLong},
		{Name: "ship with NUL", Given: road[:3], When: order.Ship{Carrier: "\x00"}, Err: order.ErrTrackingInvalid},
		{Name: "deliver", Given: road[:4], When: order.Deliver{}, Then: past{order.Delivered{}}},
		{Name: "cancel", Given: road[:3], When: order.Cancel{Reason: "sold out"}, Then: past{order.Cancelled{Reason: "sold out"}}},
		{Name: "cancel what was shipped", Given: road[:4], When: order.Cancel{}, Err: order.ErrWrongStatus},
		{Name: "cancel with a long reason", Given: road[:1], When: order.Cancel{Reason: long}, Err: order.ErrReasonTooLong},
		{Name: "return", Given: road, When: order.Return{Reason: "broken"}, Then: past{order.Returned{Reason: "broken"}}},
		{Name: "return with NUL", Given: road, When: order.Return{Reason: "\x00"}, Err: order.ErrReasonInvalid},
		{Name: "a refused order", Given: past{refused}, When: order.Confirm{}, Err: order.ErrRefused},
		{Name: "an unknown order", When: order.Confirm{}, Err: order.ErrNotFound},
	})
}

// Each command from each status: it moves, says nothing, or is refused with a
// message that names both statuses.
func TestEveryStep(t *testing.T) {
	to := map[order.Status]past{
		order.StatusPlaced:     {placed},
		order.StatusConfirmed:  {placed, order.Confirmed{}},
		order.StatusProcessing: {placed, order.Confirmed{}, order.ProcessingStarted{}},
		order.StatusShipped:    {placed, order.Confirmed{}, order.ProcessingStarted{}, order.Shipped{}},
		order.StatusDelivered:  {placed, order.Confirmed{}, order.ProcessingStarted{}, order.Shipped{}, order.Delivered{}},
		order.StatusCancelled:  {placed, order.Cancelled{}},
		order.StatusReturned:   {placed, order.Confirmed{}, order.ProcessingStarted{}, order.Shipped{}, order.Returned{}},
	}
	steps := []struct {
		command
		to   order.Status
		from string
	}{
		{order.Confirm{}, order.StatusConfirmed, "placed"},
		{order.Process{}, order.StatusProcessing, "confirmed"},
		{order.Ship{}, order.StatusShipped, "processing"},
		{order.Deliver{}, order.StatusDelivered, "shipped"},
		{order.Cancel{}, order.StatusCancelled, "placed confirmed processing"},
		{order.Return{}, order.StatusReturned, "shipped delivered"},
	}
	for status, given := range to {
		s := domaintest.Fold(order.Evolve, given)
		if s.Status != status {
			t.Fatalf("status %s, want %s", s.Status, status)
		}
		for _, step := range steps {
			events, err := step.Decide(s)
			switch {
			case strings.Contains(" "+step.from+" ", " "+string(status)+" "):
				if err != nil || len(events) != 1 || order.Evolve(s, events[0]).Status != step.to {
					t.Errorf("%s to %s: %v, %v", status, step.to, events, err)
				}
			case status == step.to:
				if err != nil || len(events) > 0 {
					t.Errorf("%s again: %v, %v", status, events, err)
				}
			default:
				var f *fault.Error
				if !errors.As(err, &f) || !errors.Is(err, order.ErrWrongStatus) || len(events) > 0 {
					t.Errorf("%s to %s: %v, %v", status, step.to, events, err)
				} else if !strings.Contains(f.Msg, string(status)) || !strings.Contains(f.Msg, string(step.to)) {
					t.Errorf("%q does not name %s and %s", f.Msg, status, step.to)
				}
			}
		}
	}
}

// However commands come, an order only goes forward, and a repeat does nothing.
func TestAnyLifeOfAnOrder(t *testing.T) {
	rank := map[order.Status]int{
		"": 0, order.StatusPlaced: 1, order.StatusConfirmed: 2, order.StatusProcessing: 3, order.StatusShipped: 4,
		order.StatusDelivered: 5, order.StatusCancelled: 6, order.StatusReturned: 6, order.StatusRefused: 6,
	}
	commands := rapid.SampledFrom([]command{
		order.Place{Workspace: "acme", Source: order.SourceAPI, Currency: "EUR", Lines: []order.PlaceLine{{Product: "p", Quantity: 1}}},
		order.Refuse{Refused: refused},
		order.Confirm{},
		order.Process{},
		order.Ship{Carrier: "DHL"},
		order.Ship{},
		order.Deliver{},
		order.Cancel{},
		order.Return{},
		order.SetPayment{Payment: order.Paid},
		order.SetPayment{Payment: order.Refunded},
		order.ChangeTags{Add: []string{"vip"}},
		order.ChangeTags{Remove: []string{"vip"}},
		order.Assign{To: "ann"},
		order.Unassign{},
		order.AddNote{Note: "n", Text: "careful", By: "ann"},
		order.EditNote{Note: "n", Text: "very", By: "ann"},
		order.DeleteNote{Note: "n", By: "ann"},
		order.Tell{Step: order.Confirm{}, Message: "m", By: "ann"},
		order.EndNotice{Message: "m"},
	})
	rapid.Check(t, func(t *rapid.T) {
		var s order.State
		for _, c := range rapid.SliceOfN(commands, 1, 40).Draw(t, "commands") {
			before := s.Status
			s = domaintest.Do(t, order.Evolve, s, c)
			if s.Status != before && rank[s.Status] <= rank[before] {
				t.Fatalf("%s went to %s", before, s.Status)
			}
		}
	})
}

// Totals are exact or refused, never wrapped.
func TestTotals(t *testing.T) {
	line := rapid.Custom(func(t *rapid.T) order.PlaceLine {
		return order.PlaceLine{Product: "p", Quantity: rapid.Int64().Draw(t, "quantity"), UnitPrice: rapid.Int64().Draw(t, "price")}
	})
	small := rapid.Custom(func(t *rapid.T) order.PlaceLine {
		return order.PlaceLine{Product: "p", Quantity: rapid.Int64Range(1, 1e6).Draw(t, "quantity"), UnitPrice: rapid.Int64Range(0, 1e11).Draw(t, "price")}
	})
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.OneOf(small, small, small, line), 1, 5).Draw(t, "lines")
		events, err := order.Place{Workspace: "acme", Source: order.SourceAPI, Currency: "JPY", Lines: lines}.Decide(order.State{})
		if err != nil {
			return
		}
		p := events[0].(order.Placed)
		var items, total int64
		for _, l := range p.Lines {
			if l.Total < 0 || l.Total > order.MaxAmount || l.UnitPrice > 0 && l.Total/l.UnitPrice != l.Quantity {
				t.Fatalf("line %+v", l)
			}
			items, total = items+l.Quantity, total+l.Total
		}
		if p.Items != items || p.Total != total || total > order.MaxAmount {
			t.Fatalf("%d items for %d, want %d for %d", p.Items, p.Total, items, total)
		}
	})
}
