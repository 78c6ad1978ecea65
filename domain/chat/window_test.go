package chat_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestWindow(t *testing.T) {
	day := chat.WhatsAppWindow
	use := &chat.TemplateUse{ID: "t1", Name: "left", Language: "en_US", Category: "utility"}
	heard := func(at time.Time) chat.MessageReceived {
		return chat.MessageReceived{Message: "i1", ProviderID: "wamid.i", Content: chat.Content{Kind: "text", Text: "hello"}, At: at}
	}
	send := func(at time.Time, t *chat.TemplateUse) chat.SendMessage {
		return chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: "hi", Template: t}, By: "bob", At: at, Window: day}
	}
	sent := func(at time.Time, t *chat.TemplateUse) chat.MessageQueued {
		return chat.MessageQueued{Message: "o1", Text: "hi", Template: t, By: "bob", At: at}
	}
	always := send(noon.Add(100*day), nil)
	always.Window = 0
	campaign := send(noon.Add(2*day), use)
	campaign.Campaign = "c1"
	ofCampaign := sent(noon.Add(2*day), use)
	ofCampaign.Campaign = "c1"
	last := noon.Add(day - time.Microsecond)
	run(t, cases{
		{Name: "at once", Given: past{opened, heard(noon)}, When: send(noon, nil), Then: past{sent(noon, nil)}},
		{Name: "at the last moment", Given: past{opened, heard(noon)}, When: send(last, nil), Then: past{sent(last, nil)}},
		{Name: "a moment later", Given: past{opened, heard(noon)}, When: send(noon.Add(day), nil), Err: chat.ErrWindowClosed},
		{Name: "a template, then", Given: past{opened, heard(noon)}, When: send(noon.Add(day), use), Then: past{sent(noon.Add(day), use)}},
		{Name: "of a campaign", Given: past{opened, heard(noon)}, When: campaign, Then: past{ofCampaign}},
		{Name: "to somebody who never wrote", Given: past{opened}, When: send(noon, nil), Err: chat.ErrWindowClosed},
		{Name: "a template to them", Given: past{opened}, When: send(noon, use), Then: past{sent(noon, use)}},
		{Name: "a reaction opens nothing", Given: past{opened, chat.ReactionReceived{ProviderID: "r", Target: "w", Emoji: "👍", At: noon}}, When: send(noon, nil), Err: chat.ErrWindowClosed},
		{Name: "an old message that comes late", Given: past{opened, heard(noon), heard(noon.Add(-day))}, When: send(noon, nil), Then: past{sent(noon, nil)}},
		{Name: "written again", Given: past{opened, heard(noon), heard(noon.Add(2 * day))}, When: send(noon.Add(2*day+time.Hour), nil), Then: past{sent(noon.Add(2*day+time.Hour), nil)}},
		{Name: "a channel without such a rule", Given: past{opened, heard(noon)}, When: always, Then: past{sent(noon.Add(100*day), nil)}},
		{Name: "a message that is sent already", Given: past{opened, heard(noon), queued}, When: send(noon.Add(day), nil)},
		{Name: "half a template", Given: past{opened, heard(noon)}, When: send(noon, &chat.TemplateUse{ID: "t1"}), Err: chat.ErrTemplateMissing},
		{Name: "a closed chat", Given: past{opened, heard(noon), closed}, When: send(noon.Add(day), use), Err: chat.ErrClosed},
	})
}
