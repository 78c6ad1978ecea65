package directory

// Agent is a row of directory_v2_agents. Times are in microseconds since 1970 UTC.
type Agent struct {
	ID           string `db:"agent_id,key"`
	Workspace    string `db:"workspace"`
	Name         string `db:"name"`
	SortName     string `db:"sort_name"` // the name in lower case
	Email        string `db:"email"`
	Role         string `db:"role"`
	Active       bool   `db:"active"`
	Availability string `db:"availability"` // online, away or offline
	Capacity     int64  `db:"capacity"`     // chats at once; 0 means no bound
	InvitedAt    int64  `db:"invited_at"`
	Revision     int64  `db:"revision"` // of the agent's stream
}

// ItemKey names an item of a workspace's list, whose id is unique only there.
type ItemKey struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"item_id,key"`
}

// Team is a row of directory_v2_teams.
type Team struct {
	ItemKey
	Name     string   `db:"name"`
	SortName string   `db:"sort_name"`
	Members  []string `db:"members"` // ids of agents, sorted
	Rule     string   `db:"rule"`    // how chats are given to members: manual, round_robin or least_busy
	Hours    Hours    `db:"hours"`   // when it works
	Archived bool     `db:"archived"`
	Revision int64    `db:"revision"` // as read: of the stream of all the workspace's teams
}

// Hours is when a team works; without a zone, always.
type Hours struct {
	Zone       string      `json:"zone,omitempty"` // an IANA name
	Weekly     []Span      `json:"weekly,omitempty"`
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Span is a part of a day of the week.
type Span struct {
	Day  int    `json:"day"`  // 1 is Monday, 7 Sunday; of an exception 0
	From string `json:"from"` // "09:00"
	To   string `json:"to"`   // "17:30", at most "24:00"
}

// Exception is a date with hours of its own, perhaps none.
type Exception struct {
	Date string `json:"date"` // "2026-12-24"
	Open []Span `json:"open,omitempty"`
}

// Tag is a row of directory_v2_tags.
type Tag struct {
	ItemKey
	Name     string `db:"name"`
	SortName string `db:"sort_name"`
	Colour   string `db:"colour"`      // "#rrggbb" or ""
	Merged   string `db:"merged_into"` // what it is now, as the event says; "" if it is itself
	Archived bool   `db:"archived"`
	Revision int64  `db:"revision"` // as read: of the stream of all the workspace's tags
}

// Statuses is a row of directory_v2_statuses: the whole list of a workspace, since
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
	Default  bool   `json:"default,omitempty"`  // new chats get it
	Remapped string `json:"remapped,omitempty"` // of an archived one: what is shown instead, as the event says
}

// Kinds of Alias.
const (
	KindTag    = "tag"
	KindStatus = "status"
)

// AliasKey is the key of directory_v2_aliases.
type AliasKey struct {
	Workspace string `db:"workspace,key"`
	Kind      string `db:"kind,key"`
	ID        string `db:"item_id,key"`
}

// Alias is a row of directory_v2_aliases: a tag that was merged, or a status that
// was remapped.
type Alias struct {
	AliasKey
	To string `db:"target"` // as the event says, which may be an alias itself by now
}

// Channel is a row of directory_v2_channels.
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

// Workspace is a row of directory_v2_workspaces.
type Workspace struct {
	ID       string `db:"workspace,key"`
	Name     string `db:"name"`
	Revision int64  `db:"revision"` // of the workspace's stream
}
