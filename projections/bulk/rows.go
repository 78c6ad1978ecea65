package bulk

// Job is a row of bulk_jobs. Times are in microseconds since 1970 UTC.
type Job struct {
	ID        string   `db:"job_id,key"`
	Workspace string   `db:"workspace"`
	Action    string   `db:"action"`
	Target    string   `db:"target"`
	Named     int64    `db:"named"`  // ids that were given; 0 if a filter chose
	Filter    string   `db:"filter"` // JSON, "" if ids were given
	Except    int64    `db:"excepted"`
	Status    string   `db:"status"`
	Agent     string   `db:"agent"`
	Tags      []string `db:"tags"`
	Reason    string   `db:"reason"`
	By        string   `db:"requested_by"`

	Phase    string `db:"phase"` // as in package domain/bulk
	Attempt  int64  `db:"attempt"`
	Position int64  `db:"selected_at_position"` // what the selection reflects
	Code     string `db:"refusal_code"`         // why there is no selection
	Refusal  string `db:"refusal"`

	Items     int64 `db:"items"`
	Done      int64 `db:"done"` // items, by their last outcome
	NoChange  int64 `db:"no_change"`
	Conflict  int64 `db:"conflict"`
	Forbidden int64 `db:"forbidden"`
	Missing   int64 `db:"missing"`
	Undone    int64 `db:"undone"`
	Touched   int64 `db:"touched"`

	Todo int64 `db:"todo"` // items of the present attempt, or undo
	Did  int64 `db:"did"`  // of these
	Pace int64 `db:"pace"` // nanoseconds an item has taken of late; 0 before the first chunk

	RequestedAt int64 `db:"requested_at"`
	StartedAt   int64 `db:"started_at"` // of the present attempt, or undo
	LastAt      int64 `db:"last_at"`    // of its progress
	EndedAt     int64 `db:"ended_at"`   // 0 while it goes on

	CancelledBy string `db:"cancelled_by"`
	UndoneBy    string `db:"undone_by"`
	Revision    int64  `db:"revision"` // of the job's stream
}

// ItemKey names an item of a job.
type ItemKey struct {
	Job  string `db:"job_id,key"`
	Item string `db:"item_id,key"`
}

// Item is a row of bulk_items: what became of one item at last. One that was not
// worked yet has no row.
type Item struct {
	ItemKey
	Outcome  string `db:"outcome"` // as in package domain/bulk
	Code     string `db:"code"`    // why it was not done
	Revision int64  `db:"revision"`
	At       int64  `db:"at"`
}
