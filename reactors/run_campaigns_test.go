package reactors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/reactors"
)

// fair is a shop that runs campaigns. Who is in an audience is said by the test, or by
// the group.
type fair struct {
	*shop
	template string

	mu       sync.Mutex
	audience []string
	asked    []eventstore.Position // from which on an audience was to be chosen
}

func newFair(t *testing.T) *fair {
	t.Helper()
	f := &fair{shop: newShop(t)}
	res, err := f.commands.Templates.Define(t.Context(), someone, template.Define{
		Channel: f.channel, Name: "sale", Language: "en", Category: template.Marketing, Components: template.Components{Body: "Hello {{1}}"},
	})
	f.done(res, err)
	f.template = res.ID
	f.word(template.Approved)
	return f
}

// word is what the provider says of the template.
func (f *fair) word(s template.Status) {
	f.t.Helper()
	f.done(f.commands.Templates.Report(f.t.Context(), someone, template.Report{Channel: f.channel, Name: "sale", Language: "en", Status: s, At: time.Now().UTC()}))
}

func (f *fair) choose(_ context.Context, req members.Requested, at eventstore.Position) ([]string, int, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, at)
	var by struct{ Field, Value string }
	if err := json.Unmarshal(req.Filter, &by); err != nil {
		return nil, 0, 0, err
	}
	if by.Field == "group" {
		ids, err := f.commands.Groups.Members(f.t.Context(), group.ID(by.Value))
		return ids, 0, int64(at), err
	}
	return f.audience, 0, int64(at), nil
}

func (f *fair) start() {
	f.t.Helper()
	r := reactors.RunCampaigns{Campaigns: f.commands.Campaigns, Choose: f.choose, Now: time.Now}.Reactor()
	r.Retry = reactors.Retry{Tries: 1_000, Min: time.Millisecond, Max: 2 * time.Millisecond}
	_, stop := host(f.t, reactors.Config{Store: f.store, Reactors: []reactors.Reactor{r}, Leases: f.leases, Parking: f.parking})
	f.t.Cleanup(stop)
}

// contact makes one, with a number or, if that is "", an address, and returns its id.
func (f *fair) contact(name, number string) string {
	f.t.Helper()
	changes := []contact.Change{{Field: contact.Name, Values: []string{name}}}
	if number != "" {
		changes = append(changes, contact.Change{Field: contact.Phones, Values: []string{number}})
	} else {
		changes = append(changes, contact.Change{Field: contact.Emails, Values: []string{name + "@example.com"}})
	}
	res, err := f.commands.Contacts.Add(f.t.Context(), someone, contact.Add{Workspace: workspace, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, Changes: changes, At: time.Now().UTC()})
	f.done(res, err)
	return res.ID
}

// launch begins a campaign to those who pass a filter, or to a group.
func (f *fair) launch(id campaign.ID, group string) campaign.ID {
	f.t.Helper()
	cmd := campaign.Create{
		Workspace: workspace, Name: string(id), Group: group, Channel: f.channel, Template: f.template, PerMinute: campaign.MaxRate,
		Values: campaign.Values{Body: map[string]string{"1": "{{contact.name}}"}}, By: "sue", At: time.Now().UTC(),
	}
	if group == "" {
		cmd.Filter = []byte(`{"field":"name","op":"exists"}`)
	}
	f.done(f.commands.Campaigns.Create(f.t.Context(), someone, id, cmd))
	f.done(f.commands.Campaigns.Launch(f.t.Context(), someone, id, campaign.Launch{By: "sue", At: time.Now().UTC()}))
	return id
}

func (f *fair) state(id campaign.ID) campaign.State {
	f.t.Helper()
	s, err := f.commands.Campaigns.Look(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fair) await(id campaign.ID, p campaign.Phase) {
	f.t.Helper()
	until(f.t, fmt.Sprint("the campaign is ", p), func() bool { return f.state(id).Phase == p })
}

// became says what the log has of each recipient: why they were left out, or "sent".
func (f *fair) became(id campaign.ID) map[string]string {
	f.t.Helper()
	out := map[string]string{}
	for r, err := range f.store.ReadStream(f.t.Context(), "campaign-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if r.Type != (campaign.BatchDone{}).EventType() {
			continue
		}
		var done campaign.BatchDone
		if err := json.Unmarshal(r.Data, &done); err != nil {
			f.t.Fatal(err)
		}
		for _, who := range done.Recipients {
			out[who.Contact] = "sent"
			if who.Skipped != "" {
				out[who.Contact] = string(who.Skipped)
			}
		}
	}
	return out
}

// A group that is just being filled is waited for, and the audience is chosen where its
// members are shown.
func TestACampaignWaitsForItsGroup(t *testing.T) {
	f := newFair(t)
	a := f.contact("a", "+4915112340001")
	f.done(f.commands.Groups.Create(t.Context(), someone, group.Create{Group: "g", Name: "VIPs", Kind: group.Static, Named: true, By: "sue", At: time.Now().UTC()}, []string{a}))
	id := f.launch("c1", "g")
	f.start()
	f.contact("b", "+4915112340002") // the log goes on
	choice, err := f.commands.Groups.Look(t.Context(), "g")
	if err != nil || !choice.Pending {
		t.Fatalf("%+v, %v", choice, err)
	}
	res, err := f.commands.Groups.Choose(t.Context(), someone, "g", members.Choose{Choice: choice.Choice, IDs: []string{a}, At: time.Now().UTC()})
	f.done(res, err)
	f.await(id, campaign.Completed)
	if got := f.became(id); got[a] != "sent" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) != 1 || f.asked[0] < res.Position {
		t.Errorf("chosen as of %v, the members are there from %d on", f.asked, res.Position)
	}
}

// A campaign whose group is gone says so, and is not over with nobody in it.
func TestACampaignWithoutItsGroup(t *testing.T) {
	f := newFair(t)
	f.done(f.commands.Groups.Create(t.Context(), someone, group.Create{Group: "g", Name: "VIPs", Kind: group.Static, Named: true, By: "sue", At: time.Now().UTC()}, []string{f.contact("a", "+4915112340001")}))
	id := f.launch("c1", "g")
	f.done(f.commands.Groups.Delete(t.Context(), someone, group.Delete{Group: "g", By: "sue", At: time.Now().UTC()}))
	f.start()
	f.await(id, campaign.Rejected)
}

// When the template can be used no more in the middle of a batch, the campaign pauses;
// cancelled then, it says of everybody in the batch what was done.
func TestACancelledCampaignTellsWhatItDid(t *testing.T) {
	f := newFair(t)
	for i := range 40 {
		f.audience = append(f.audience, f.contact(fmt.Sprintf("c%02d", i), fmt.Sprintf("+49151123400%02d", i)))
	}
	slices.Sort(f.audience)
	id := f.launch("c1", "")
	f.word(template.Paused)
	f.start()
	f.await(id, campaign.Paused)
	if s := f.state(id); !s.Planned {
		t.Fatalf("paused before a batch was planned: %+v", s)
	}
	f.done(f.commands.Campaigns.Cancel(t.Context(), someone, id, campaign.Cancel{By: "sue", At: time.Now().UTC()}))
	until(t, "the batch is settled", func() bool { return len(f.became(id)) > 0 })
	for who, what := range f.became(id) {
		if what != string(campaign.NotSent) {
			t.Errorf("%s: %s, and nothing was sent", who, what)
		}
	}
}

// A contact counts with all its parts, and as it is when its turn comes.
func TestACampaignSeesWholeContacts(t *testing.T) {
	f := newFair(t)
	root, part := f.contact("root", ""), f.contact("part", "+4915112340001")
	other, blockedPart := f.contact("other", "+4915112340002"), f.contact("other-part", "+4915112340003")
	merge := func(into, part string) {
		t.Helper()
		f.done(f.commands.Contacts.Merge(t.Context(), someone, contact.ID(into), contact.ID(part), contact.Merge{By: "sue", At: time.Now().UTC()}))
	}
	f.done(f.commands.Contacts.Block(t.Context(), someone, contact.ID(blockedPart), contact.Block{By: "sue", At: time.Now().UTC()}))
	merge(root, part)
	merge(other, blockedPart)
	later := f.contact("then-blocked", "+4915112340004")
	f.audience = []string{other, root, later}
	id := f.launch("c1", "")
	f.word(template.Paused) // so that the batch is planned, and not sent
	f.start()
	f.await(id, campaign.Paused)
	f.done(f.commands.Contacts.Block(t.Context(), someone, contact.ID(later), contact.Block{By: "sue", At: time.Now().UTC()}))
	f.word(template.Approved)
	f.done(f.commands.Campaigns.Resume(t.Context(), someone, id, campaign.Resume{By: "sue", At: time.Now().UTC()}))
	f.await(id, campaign.Completed)
	got := f.became(id)
	if got[root] != "sent" || got[other] != string(campaign.Blocked) || got[later] != string(campaign.Blocked) {
		t.Errorf("%v", got)
	}
}

// A file that was uploaded to one chat goes to all of the audience, also once that chat
// is gone, and is kept for that.
func TestACampaignWithAFile(t *testing.T) {
	f := newFair(t)
	res, err := f.commands.Templates.Define(t.Context(), someone, template.Define{
		Channel: f.channel, Name: "look", Language: "en", Category: template.Marketing,
		Components: template.Components{Header: &template.Header{Kind: template.ImageHeader}, Body: "Hello {{1}}"},
	})
	f.done(res, err)
	f.template = res.ID
	f.done(f.commands.Templates.Report(t.Context(), someone, template.Report{Channel: f.channel, Name: "look", Language: "en", Status: template.Approved, At: time.Now().UTC()}))
	began := time.Now().UTC()
	id := f.open("15551")
	picture := string(f.upload(id, jpeg, began))
	draft := func(name, in, file, link string) error {
		_, err := f.commands.Campaigns.Create(t.Context(), someone, campaign.ID(name), campaign.Create{
			Workspace: workspace, Name: name, Filter: []byte(`{"field":"name","op":"exists"}`), Channel: f.channel, Template: f.template, PerMinute: campaign.MaxRate,
			Values: campaign.Values{Body: map[string]string{"1": "{{contact.name}}"}, Link: link, Media: &campaign.File{Chat: in, ID: file, SHA256: "made up"}}, By: "sue", At: began,
		})
		return err
	}
	film := chat.FileUse{Kind: media.Video, SHA256: f.put(workspace, "a film"), Size: 6, MIMEType: "video/mp4"}
	res, err = f.commands.Chats.UploadFile(t.Context(), someone, id, chat.UploadFile{FileUploaded: chat.FileUploaded{File: film, By: "ana", At: began}})
	f.done(res, err)
	for name, tc := range map[string]struct {
		chat, file, link string
		want             error
	}{
		"no such file": {string(id), "nothing", "", campaign.ErrNoMedia},
		"no such chat": {"nowhere", picture, "", campaign.ErrNoMedia},
		"no chat":      {"", picture, "", campaign.ErrMedia},
		"a film":       {string(id), res.ID, "", campaign.ErrMediaKind},
		"and a link":   {string(id), picture, "https://example.com/a.jpg", campaign.ErrMedia},
	} {
		if err := draft(name, tc.chat, tc.file, tc.link); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	f.done(commands.Result{}, draft("sale", string(id), picture, ""))
	f.done(f.commands.Chats.Delete(t.Context(), someone, id, chat.Delete{By: "sue"}))

	// Long after it was uploaded it is there yet.
	f.sweep(f.sweeper(began.Add(chat.UploadSpared + day)))
	if kept := f.kept(); len(kept) != 1 || kept[0] != "acme "+jpeg {
		t.Fatalf("kept are %q", kept)
	}

	f.audience = []string{f.contact("Ann", "+15551230002"), f.contact("Bob", "+15551230003")}
	f.done(f.commands.Campaigns.Launch(t.Context(), someone, "sale", campaign.Launch{By: "sue", At: time.Now().UTC()}))
	f.start()
	f.shop.start()
	f.await("sale", campaign.Completed)
	until(t, "both were sent", func() bool { return len(f.graph.Taken()) == 2 })
	for _, taken := range f.graph.Taken() {
		if !strings.Contains(taken.Payload, `{"type":"header","parameters":[{"type":"image","image":{"id":"`) {
			t.Errorf("sent %s", taken.Payload)
		}
	}
	if asked := f.graph.MediaRequests(); !slices.Equal(asked, []string{"upload " + phoneID, "upload " + phoneID}) {
		t.Errorf("asked %q", asked)
	}
}
