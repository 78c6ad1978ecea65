package web

// describe fills in what the Config does not say about the API. The version is
// that of the API, not of the program.
func (c *Config) describe() {
	setDefault(&c.Title, "chatledger")
	setDefault(&c.Version, "1")
	setDefault(&c.Description, "A customer-chat inbox whose every change is an event. "+
		"A write answers with an ETag (the revision) and a Position (of the log); it takes If-Match and Idempotency-Key. "+
		"A read answers with the Position that it reflects and takes min_position. Ids are strings, times are RFC 3339 in UTC.")
	if c.Tags != nil {
		return
	}
	c.Tags = []Tag{
		{"chats", "The inbox: the chats of a workspace, their messages, notes, tags and history."},
		{"contacts", "People whose details are known: added by hand, imported, or shared in a chat."},
		{"chatflows", "What bots ask."},
		{"attributes", "The fields that a workspace gives its contacts besides those that all have."},
		{"orders", "Orders from catalogues and from this API, each with its own life."},
		{"changes", "What happens, as it happens."},
		{"views", "How far the views are, what they could not take, and what was left out of them."},
		{"audit", "The proof that nothing was altered: signed checkpoints of the log, and that one follows from another."},
		{"quick-replies", "Saved answers with placeholders: personal, of a team, or of the workspace."},
		{"settings", "How the workspace works."},
		{"scheduled", "Messages that wait for their time."},
		{"calls", "Calls to customers."},
		{"saved-views", "Filters with a name: personal, or shared by all."},
		{"me", "The caller."},
		{"agents", "Members of staff."},
		{"teams", "Groups of agents."},
		{"tags", "The workspace's tags."},
		{"statuses", "The workspace's statuses of chats."},
		{"channels", "Accounts that customers write to, and what their providers delivered."},
		{"health", "For those who run the server; no token needed."},
	}
}
