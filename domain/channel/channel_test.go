package channel_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []channel.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, channel.Events) }

func TestDecisions(t *testing.T) {
	shop := channel.Connected{Workspace: "acme", Kind: channel.WhatsApp, Name: "Shop", Account: "1065", Phone: "+1 555"}
	off := channel.Disconnected{Reason: "moved"}
	connect := channel.Connect{Workspace: "acme", Kind: channel.WhatsApp, Name: " Shop ", Account: "1065", Phone: "+1 555"}
	with := func(change func(*channel.Connect)) channel.Connect { c := connect; change(&c); return c }
	long := strings.Repeat("a", 1001)
	domaintest.Run(t, channel.Evolve, []domaintest.Case[channel.State, channel.Event]{
		{Name: "connect", When: connect, Then: past{shop}},
		{Name: "connect again", Given: past{shop}, When: connect},
		{Name: "connect again under another name", Given: past{shop}, When: with(func(c *channel.Connect) { c.Name = "Store" })},
		{Name: "connect after it was disconnected", Given: past{shop, off}, When: connect, Then: past{shop}},
		{Name: "connect another account", Given: past{shop}, When: with(func(c *channel.Connect) { c.Account = "7" }), Err: channel.ErrExists},
		{Name: "connect in another workspace", Given: past{shop, off}, When: with(func(c *channel.Connect) { c.Workspace = "apex" }), Err: channel.ErrExists},
		{Name: "connect in none", When: with(func(c *channel.Connect) { c.Workspace = "" }), Err: channel.ErrWorkspace},
		{Name: "connect a fax", When: with(func(c *channel.Connect) { c.Kind = "fax" }), Err: channel.ErrKind},
		{Name: "connect without a name", When: with(func(c *channel.Connect) { c.Name = "" }), Err: channel.ErrNameMissing},
		{Name: "connect without an account", When: with(func(c *channel.Connect) { c.Account = " " }), Err: channel.ErrAccountMissing},
		{Name: "connect with a long phone", When: with(func(c *channel.Connect) { c.Phone = long }), Err: channel.ErrPhoneTooLong},
		{Name: "rename", Given: past{shop}, When: channel.Rename{Name: "Store"}, Then: past{channel.Renamed{Name: "Store", From: "Shop"}}},
		{Name: "rename to the same", Given: past{shop}, When: channel.Rename{Name: "Shop"}},
		{Name: "rename to nothing", Given: past{shop}, When: channel.Rename{}, Err: channel.ErrNameMissing},
		{Name: "rename what is off", Given: past{shop, off}, When: channel.Rename{Name: "Store"}, Err: channel.ErrDisconnected},
		{Name: "rename an unknown one", When: channel.Rename{Name: "Store"}, Err: channel.ErrNotFound},
		{Name: "replace secrets", Given: past{shop}, When: channel.ReplaceSecrets{}, Then: past{channel.SecretsReplaced{}}, Anew: true},
		{Name: "replace secrets of what is off", Given: past{shop, off}, When: channel.ReplaceSecrets{}, Err: channel.ErrDisconnected},
		{Name: "calls by webhook", Given: past{shop}, When: channel.SetCalls{Provider: "webhook"}, Then: past{channel.CallsSet{Provider: "webhook"}}},
		{Name: "calls by nobody", Given: past{shop, channel.CallsSet{Provider: "webhook"}}, When: channel.SetCalls{}, Then: past{channel.CallsSet{From: "webhook"}}},
		{Name: "calls by nobody, as before", Given: past{shop}, When: channel.SetCalls{}},
		{Name: "calls by pigeon", Given: past{shop}, When: channel.SetCalls{Provider: "pigeon"}, Err: channel.ErrCallProvider},
		{Name: "calls of what is off", Given: past{shop, off}, When: channel.SetCalls{Provider: "webhook"}, Err: channel.ErrDisconnected},
		{Name: "no read marks", Given: past{shop}, When: channel.SetReadMarks{ReadMarks: "never"}, Then: past{channel.ReadMarksSet{ReadMarks: "never", From: "asked"}}},
		{Name: "read marks as before", Given: past{shop}, When: channel.SetReadMarks{ReadMarks: "asked"}},
		{Name: "read marks always", Given: past{shop, channel.ReadMarksSet{ReadMarks: "never", From: "asked"}}, When: channel.SetReadMarks{ReadMarks: "always"}, Then: past{channel.ReadMarksSet{ReadMarks: "always", From: "never"}}},
		{Name: "read marks sometimes", Given: past{shop}, When: channel.SetReadMarks{ReadMarks: "sometimes"}, Err: channel.ErrReadMarks},
		{Name: "read marks of nothing", Given: past{shop}, When: channel.SetReadMarks{}, Err: channel.ErrReadMarks},
		{Name: "read marks of what is off", Given: past{shop, off}, When: channel.SetReadMarks{ReadMarks: "never"}, Err: channel.ErrDisconnected},
		{Name: "disconnect", Given: past{shop}, When: channel.Disconnect{Reason: "moved"}, Then: past{off}},
		{Name: "disconnect again", Given: past{shop, off}, When: channel.Disconnect{}},
		{Name: "disconnect with a long reason", Given: past{shop}, When: channel.Disconnect{Reason: long}, Err: channel.ErrReasonTooLong},
		{Name: "disconnect an unknown one", When: channel.Disconnect{}, Err: channel.ErrNotFound},
	})
}

func TestAnyLifeOfAChannel(t *testing.T) {
	commands := rapid.SampledFrom([]domaintest.Command[channel.State, channel.Event]{
		channel.Connect{Workspace: "acme", Kind: channel.WhatsApp, Name: "Shop", Account: "1"},
		channel.Connect{},
		channel.SetReadMarks{ReadMarks: "always"},
		channel.SetReadMarks{ReadMarks: "never"},
		channel.Rename{Name: "Shop"},
		channel.Rename{Name: "Store"},
		channel.Disconnect{},
	})
	rapid.Check(t, func(t *rapid.T) {
		var s channel.State
		for _, c := range rapid.SliceOfN(commands, 1, 30).Draw(t, "commands") {
			s = domaintest.Do(t, channel.Evolve, s, c)
			if s.Exists && (s.Account != "1" || s.Name == "") {
				t.Fatalf("state %+v", s)
			}
		}
	})
}
