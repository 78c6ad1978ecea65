package directory

// Agent is a row of directory_agents. Times are in microseconds since 1970 UTC.
type Agent struct {
	ID           string `db:"agent_id,key"`
	Workspace    string `db:"workspace"`
	Name         string `db:"name"`
	SortName     string `db:"sort_name"` // the name in lower case
	Email        string `db:"email"`
	Role         string `db:"role"`
	Active       bool   `db:"active"`
	Availability string `db:"availability"` // online, away or offline
	InvitedAt    int64  `db:"invited_at"`
	Revision     int64  `db:"revision"` // of the agent's stream
}

// ItemKey names an item of a workspace's list, whose id is unique only there.
type ItemKey struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"item_id,key"`
}

// Team is a row of directory_teams.
type Team struct {
	ItemKey
	Name     string   `db:"name"`
	SortName string   `db:"sort_name"`
	Members  []string `db:"members"` // ids of agents, sorted
	Archived bool     `db:"archived"`
	Revision int64    `db:"revision"` // as read: of the stream of all the workspace's teams
}

// Tag is a row of directory_tags.
type Tag struct {
	ItemKey
	Name     string `db:"name"`
	SortName string `db:"sort_name"`
	Colour   string `db:"colour"` // "#rrggbb" or ""
	Archived bool   `db:"archived"`
	Revision int64  `db:"revision"` // as read: of the stream of all the workspace's tags
}

// Statuses is a row of directory_statuses: the whole list of a workspace, since
// moving one moves others.
type Statuses struct {
	Workspace string   `db:"workspace,key"`
	InUse     []Status `db:"in_use"`   // in their order
	Archived  []Status `db:"archived"` // as they were archived
	Revision  int64    `db:"revision"` // of the stream of all the workspace's statuses
}

// Status is one of a workspace's statuses.
type Status struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Colour   string `json:"colour,omitempty"`
	Category string `json:"category"`
	Default  bool   `json:"default,omitempty"` // new chats get it
}

// Channel is a row of directory_channels.
type Channel struct {
	ID        string `db:"channel_id,key"`
	Workspace string `db:"workspace"`
	Kind      string `db:"kind"`
	Name      string `db:"name"`
	SortName  string `db:"sort_name"`
	Account   string `db:"account"` // the provider's id of it: for WhatsApp the phone number id
	Phone     string `db:"phone"`
	Active    bool   `db:"active"`
	Revision  int64  `db:"revision"` // of the channel's stream
}

// Workspace is a row of directory_workspaces.
type Workspace struct {
	ID       string `db:"workspace,key"`
	Name     string `db:"name"`
	Revision int64  `db:"revision"` // of the workspace's stream
}
