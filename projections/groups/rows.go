package groups

import "github.com/chatledger/chatledger/domain/group"

// Group is a row of groups_v2. Times are in microseconds since 1970 UTC.
type Group struct {
	ID        string `db:"group_id,key"`
	Workspace string `db:"workspace"` // "" if members were named for a group that was refused
	Listed    string `db:"listed"`    // the workspace, or "" once it was deleted
	Name      string `db:"name"`
	SortName  string `db:"sort_name"` // in lower case
	Kind      string `db:"kind"`      // static or dynamic
	Filter    string `db:"filter"`    // JSON; "" if the members are named
	FilterBy  string `db:"filter_by"` // "me" in the filter
	CreatedBy string `db:"created_by"`
	CreatedAt int64  `db:"created_at"`
	UpdatedBy string `db:"updated_by"`
	UpdatedAt int64  `db:"updated_at"`

	Changes int64 `db:"changes"` // of its name and filter, since it was made
	Asked   int64 `db:"asked"`   // the last choice of members that was asked for; 0 if none was
	Made    int64 `db:"made"`    // the last that was made
}

// Revision returns how often the group was changed, as its commands count it.
func (g Group) Revision() int64 { return int64(group.Revision(int(g.Changes), int(g.Asked))) }

// List is a row of groups_v2_lists: what the groups of a workspace have in common.
type List struct {
	Workspace string `db:"workspace,key"`
	Revision  int64  `db:"revision"` // of their stream
}

// ChoiceKey names a choice of members.
type ChoiceKey struct {
	Group  string `db:"group_id,key"`
	Choice int64  `db:"choice,key"` // counted from 1
}

// States of a choice.
const (
	Pending = "pending"
	Made    = "made"
	Refused = "refused"
)

// Choice is a row of groups_v2_choices.
type Choice struct {
	ChoiceKey
	State       string `db:"state"`
	Filter      string `db:"filter"`  // as it was; "" if members were named
	Named       int64  `db:"named"`   // so many
	Emptied     bool   `db:"emptied"` // the group was deleted
	By          string `db:"requested_by"`
	RequestedAt int64  `db:"requested_at"`
	EndedAt     int64  `db:"ended_at"` // 0 while it is pending

	Members  int64 `db:"members"` // then
	Added    int64 `db:"added"`
	Removed  int64 `db:"removed"`
	Missing  int64 `db:"missing"`  // so many of those that were named are no contacts
	Position int64 `db:"position"` // of the log, that it reflects

	MadeAtPosition int64  `db:"made_at_position"` // from which on these are the members
	Code           string `db:"code"`             // why it was refused
	Reason         string `db:"reason"`
}

// MemberKey names a contact that is or was in a group.
type MemberKey struct {
	Group   string `db:"group_id,key"`
	Contact string `db:"contact_id,key"`
}

// Member is a row of groups_v2_members: when a contact was in a group, by the choices
// that put it in and took it out.
type Member struct {
	MemberKey
	Since int64  `db:"since_choice"`
	Until int64  `db:"until_choice"` // 0: it is in
	Stays int64  `db:"stays"`        // how often it was put in
	Past  []Stay `db:"past"`         // the earlier ones, the oldest first
}

// Stay is from when to when a contact was in a group.
type Stay struct {
	Since int64 `json:"since"`
	Until int64 `json:"until"`
}

// At reports whether the contact was in the group after a choice.
func (m Member) At(choice int64) bool {
	for _, s := range append([]Stay{{m.Since, m.Until}}, m.Past...) {
		if s.Since <= choice && (s.Until == 0 || s.Until > choice) {
			return true
		}
	}
	return false
}

// changed reports whether a choice put the contact in, or took it out.
func (m Member) changed(choice int64, in bool) bool {
	for _, s := range append([]Stay{{m.Since, m.Until}}, m.Past...) {
		if in && s.Since == choice || !in && s.Until == choice {
			return true
		}
	}
	return false
}
