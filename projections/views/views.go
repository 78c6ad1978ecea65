// Package views is the catalogue of the views: all that read the log on behalf
// of readapi. A view is added by a folder and a line here.
package views

import (
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/calls"
	"github.com/chatledger/chatledger/projections/campaigns"
	"github.com/chatledger/chatledger/projections/channelsettings"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/customviews"
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

// All returns what makes a new instance of each view.
func All() []func() projections.Projection {
	return []func() projections.Projection{
		inbox.New,
		conversation.New,
		history.New,
		visitor.New,
		orders.New,
		directory.New,
		deliveries.New,
		bulk.New,
		quickreplies.New,
		usage.New,
		contacts.New,
		search.New,
		calls.New,
		savedviews.New,
		groups.New,
		media.New,
		templates.New,
		campaigns.New,
		scheduled.New,
		settings.New,
		offers.New,
		permissions.New,
		customviews.New,
		channelsettings.New,
	}
}
