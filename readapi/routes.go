package readapi

import (
	"slices"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/calls"
	"github.com/chatledger/chatledger/projections/campaigns"
	"github.com/chatledger/chatledger/projections/channelsettings"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/deliveries"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/history"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/media"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/permissions"
	"github.com/chatledger/chatledger/projections/quickreplies"
	"github.com/chatledger/chatledger/projections/savedviews"
	"github.com/chatledger/chatledger/projections/scheduled"
	"github.com/chatledger/chatledger/projections/search"
	"github.com/chatledger/chatledger/projections/settings"
	"github.com/chatledger/chatledger/projections/templates"
	"github.com/chatledger/chatledger/projections/usage"
	"github.com/chatledger/chatledger/projections/visitor"
)

// Endpoints returns the table of everything that can be read.
func (a *API) Endpoints() []web.Endpoint {
	var (
		inInbox    = (*inbox.Projection)(nil).Name()
		inTalk     = (*conversation.Projection)(nil).Name()
		inPast     = (*history.Projection)(nil).Name()
		inProfiles = (*visitor.Projection)(nil).Name()
		inSales    = (*orders.Projection)(nil).Name()
		inUses     = (*usage.Projection)(nil).Name()
		inStaff    = (*directory.Projection)(nil).Name()
		inAnswers  = (*quickreplies.Projection)(nil).Name()
		inTexts    = (*search.Projection)(nil).Name()
		inPost     = (*deliveries.Projection)(nil).Name()
		inBulk     = (*bulk.Projection)(nil).Name()
		inPeople   = (*contacts.Projection)(nil).Name()
		inCalls    = (*calls.Projection)(nil).Name()
		inFiles    = (*media.Projection)(nil).Name()
		inSaved    = (*savedviews.Projection)(nil).Name()
		inGroups   = (*groups.Projection)(nil).Name()
		inMailings = (*campaigns.Projection)(nil).Name()
		inForms    = (*templates.Projection)(nil).Name()
		inWaiting  = (*scheduled.Projection)(nil).Name()
		inSettings = (*settings.Projection)(nil).Name()
		inOffers   = (*offers.Projection)(nil).Name()
		inChannels = (*channelsettings.Projection)(nil).Name()
		inConsents = (*permissions.Projection)(nil).Name()
	)
	views := func(names ...string) []string { return names }
	chatViews, contactViews := views(inInbox, inOffers, inProfiles, inSales, inStaff, inPeople, inGroups, inSaved), views(inPeople, inStaff, inGroups, inSaved, inInbox, inSales)
	orderViews := views(inSales, inProfiles, inStaff, inPeople, inGroups, inSaved, inInbox)
	return append([]web.Endpoint{
		read(a, "/v1/chats", anyone, "List chats", views(inInbox, inOffers, inStaff), listChats,
			"Pages stay right while chats change: none is shown twice, and none that stays where it was is left out."),
		read(a, "/v1/chats/counts", anyone, "How many chats there are on each tab", views(inInbox, inStaff), countChats),
		ask(a, "/v1/chats/query", anyone, "Find chats with a filter", chatViews, a.findChats, shortPages),
		ask(a, "/v1/chats/count", anyone, "Count chats with a filter", chatViews, a.countFound, countsShort),
		read(a, "/v1/chats/{chat}", anyone, "Get a chat", views(inInbox, inOffers, inConsents, inStaff), getChat),
		read(a, "/v1/chats/{chat}/messages", anyone, "Read a conversation", views(inInbox, inTalk, inFiles, inStaff), listMessages,
			"Without before, after or cursor: the newest entries. Items are oldest first."),
		a.messageMedia(inInbox, inFiles),
		read(a, "/v1/chats/{chat}/history", people, "Everything that happened to a chat", views(inInbox, inPast), listHistory,
			"Every event as a typed fact, oldest first. Auditors and admins see that of deleted chats, too."),
		read(a, "/v1/chats/{chat}/state", people, "A chat as it was", views(inInbox), a.getState,
			"Folded from the log up to a point, whatever the views have. Auditors and admins see deleted chats, too."),
		read(a, "/v1/chats/{chat}/difference", people, "What changed in a chat between two points", views(inInbox), a.getDifference),
		read(a, "/v1/chats/{chat}/visitor", anyone, "Who is in the chat", append(slices.Clone(chatViews), inMailings), a.getVisitor,
			"For every field: who gave it, how and when."),
		read(a, "/v1/chats/{chat}/answers", anyone, "What the customer of a chat has answered to chatflows, the latest first", views(inInbox), a.listChatAnswers,
			"From the log: in whatever chat it was, and whether or not they are a contact.", shortPages),
		read(a, "/v1/chats/{chat}/calls", anyone, "List the calls of a chat, the latest first", views(inInbox, inCalls), listCalls),
		read(a, "/v1/calls/{call}", anyone, "How far a call is", views(inInbox, inCalls), getCall),

		read(a, "/v1/contacts", anyone, "List contacts", contactViews, a.listContacts, shortPages),
		ask(a, "/v1/contacts/query", anyone, "Find contacts with a filter", contactViews, a.findContacts,
			shortPages),
		ask(a, "/v1/contacts/count", anyone, "Count contacts with a filter", contactViews, a.countContacts,
			countsShort),
		read(a, "/v1/contacts/{contact}", anyone, "All that is known of a contact", contactViews, a.getContact,
			"For every value: who gave it, how and when. A contact that was merged into another is answered with that one."),
		read(a, "/v1/contacts/duplicates", anyone, "Contacts that may be the same person", contactViews, listShared,
			"Each e-mail address and phone number that several contacts have, with the first of these.", shortPages),
		read(a, "/v1/contacts/{contact}/duplicates", anyone, "Who may be the same person", contactViews, listDuplicates,
			"Other contacts with an e-mail address or a phone number of this one."),
		read(a, "/v1/contacts/{contact}/answers", anyone, "What a contact has answered to chatflows, the latest first", views(inPeople), a.listContactAnswers,
			"From the log, with what those have answered that were merged into it.", shortPages),
		read(a, "/v1/contacts/{contact}/history", people, "Everything that happened to a contact", views(inPeople), a.listContactHistory,
			"Every event as a typed fact, oldest first, with those of the contacts that were merged into it: who blocked it, say, and why. Auditors and admins see that of deleted contacts, too."),
		read(a, "/v1/attributes", anyone, "The workspace's own fields of contacts", views(inPeople), listAttributes),

		read(a, "/v1/orders", anyone, "List orders, the latest first unless they are sorted otherwise", views(inSales, inProfiles, inStaff), listOrders),
		ask(a, "/v1/orders/query", anyone, "Find orders with a filter, the latest first unless they are sorted otherwise", orderViews, a.findOrders, shortPages),
		ask(a, "/v1/orders/count", anyone, "Count orders with a filter", orderViews, a.countOrders, countsShort),
		read(a, "/v1/orders/{order}", anyone, "Get an order", views(inSales, inProfiles, inStaff), getOrder),
		read(a, "/v1/orders/{order}/history", people, "Everything that happened to an order", views(inSales, inProfiles, inStaff), a.listOrderHistory,
			"Every event as a typed fact, oldest first."),

		ask(a, "/v1/bulk/preview", seniors, "What a bulk operation would be about", chatViews, a.previewBulk),
		read(a, "/v1/bulk", seniors, "List bulk operations, the latest first", views(inBulk), a.listJobs),
		read(a, "/v1/bulk/{job}", seniors, "How far a bulk operation is", views(inBulk), a.getJob),
		read(a, "/v1/bulk/{job}/items", seniors, "What became of the items of a bulk operation", views(inBulk), listJobItems),
		read(a, "/v1/search", anyone, "Search everything that was written", views(inTexts), a.findText,
			"Messages in both directions, notes on chats, contacts and orders as they read now, visitors and contacts (names, e-mail addresses, phone numbers, companies) and orders (ids, products, comments), the newest first. "+
				"Each word of q must be there, or a word that begins with it; case and accents do not count. A phone number is found by four or more of its digits that follow each other, however it is written.",
			"Nothing of a deleted chat or contact is found but its orders. What comes anew while pages are read comes before them; nothing is shown twice. A page may be short before the end: there are more as long as there is a next_cursor."),

		read(a, "/v1/filters/{target}", anyone, "What can be filtered by", views(inPeople), describeFilter,
			"The fields of chats, contacts or orders, each with its operators. docs/filters.md is the reference of the language."),

		read(a, "/v1/quick-replies", anyone, "List quick replies, by shortcut", views(inAnswers, inStaff), listQuickReplies,
			"Those of the workspace, of your teams, and your own. Supervisors, auditors, analysts and admins see those of every team. Nobody sees what is personal to another."),
		read(a, "/v1/quick-replies/{reply}", anyone, "Get a quick reply, with its versions", views(inAnswers, inStaff), getQuickReply),

		read(a, "/v1/saved-views", anyone, "List saved views", views(inSaved), listSavedViews,
			"Your own, then those that are shared; of each, by target, in their order. One that is no longer valid is shown as such.", "To see what one finds: POST /v1/{chats,contacts,orders}/query with its id as view."),
		read(a, "/v1/saved-views/counts", anyone, "How many each saved view finds", views(inSaved, inInbox, inOffers, inProfiles, inSales, inPeople, inStaff, inGroups), a.countSavedViews,
			"In the order of the list, few at a time.", countsShort),
		read(a, "/v1/saved-views/{view}", anyone, "Get a saved view", views(inSaved), getSavedView),

		read(a, "/v1/templates", anyone, "List message templates, by name and language", views(inForms), listTemplates,
			"What may be sent to customers whenever they wrote last, if it is approved."),
		read(a, "/v1/templates/{template}", anyone, "Get a message template", views(inForms), getTemplate),

		read(a, "/v1/scheduled", anyone, "List scheduled messages, the soonest first", views(inWaiting, inInbox), listAllScheduled),
		read(a, "/v1/chats/{chat}/scheduled", anyone, "List a chat's scheduled messages, the soonest first", views(inWaiting, inInbox), listChatScheduled),

		read(a, "/v1/me", anyone, "Who is calling", views(inStaff), getMe),
		read(a, "/v1/settings", anyone, "How the workspace works", views(inSettings), getSettings,
			"Every part, also where nothing was set."),
		read(a, "/v1/agents", anyone, "List staff", views(inStaff), listAgents),
		read(a, "/v1/agents/{agent}", anyone, "Get a member of staff", views(inStaff), getAgent),
		read(a, "/v1/teams", anyone, "List teams", views(inStaff), listTeams),
		read(a, "/v1/teams/{team}", anyone, "Get a team", views(inStaff), getTeam),
		read(a, "/v1/tags", anyone, "List tags", views(inStaff, inUses, inInbox, inSales, inPeople), listTags),
		read(a, "/v1/tags/{tag}", anyone, "Get a tag", views(inStaff, inUses, inInbox, inSales, inPeople), getTag),
		read(a, "/v1/statuses", anyone, "List statuses, in their order", views(inStaff, inUses, inInbox), listStatuses),
		read(a, "/v1/statuses/{status}", anyone, "Get a status", views(inStaff, inUses, inInbox), getStatus),

		read(a, "/v1/channels", anyone, "List channels", views(inStaff, inChannels), listChannels),
		read(a, "/v1/channels/{channel}", anyone, "Get a channel", views(inStaff, inChannels), getChannel),
		read(a, "/v1/channels/{channel}/deliveries", examiners, "What was delivered by webhook, the latest first", views(inStaff, inPost), listDeliveries),
		read(a, "/v1/channels/{channel}/deliveries/{delivery}", examiners, "Get a delivery", views(inPost), getDelivery),
		a.deliveryBody(),
		a.exportFile(map[filter.Target][]string{
			filter.Chats: chatViews, filter.Contacts: contactViews, filter.Orders: orderViews,
		}),

		a.changes(),
	}, slices.Concat(a.customViews(), a.groups(contactViews), a.campaigns(append(slices.Clone(contactViews), inMailings)), a.health())...)
}

const (
	shortPages  = "A page may be short, even empty, before the end of the list: so many rows are looked at for each, and no more. There are more pages as long as there is a next_cursor."
	countsShort = "Counts as far as it can tell at once: exact is false if there may be more."
)
