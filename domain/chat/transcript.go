package chat

// TranscriptFormat is the form of a transcript.
type TranscriptFormat string

// Formats of transcripts.
const (
	TranscriptJSON TranscriptFormat = "json"
	TranscriptCSV  TranscriptFormat = "csv"
	TranscriptText TranscriptFormat = "txt"
	TranscriptHTML TranscriptFormat = "html"

	TranscriptProof TranscriptFormat = "proof" // the events themselves, each with its proof
)

// DownloadTranscript records that somebody takes a transcript with them, or what it
// is made from. Each
// time is an event; a repeat is told by the id of the command.
type DownloadTranscript struct {
	Format TranscriptFormat
	Notes  bool   // with private notes
	Events bool   // with what happened to the chat
	Zone   string // of its times: an IANA name
	AsOf   int64  // a position of the log
	By     AgentID
	Hidden bool // By may see deleted chats
}

// Decide implements the command.
func (c DownloadTranscript) Decide(s State) ([]Event, error) {
	switch c.Format {
	case TranscriptJSON, TranscriptCSV, TranscriptText, TranscriptHTML, TranscriptProof:
	default:
		return nil, ErrTranscriptFormat
	}
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case c.AsOf <= 0:
		return nil, ErrAsOf
	case !s.Exists || s.Deleted && !c.Hidden:
		return nil, ErrNotFound
	}
	return []Event{TranscriptDownloaded{Format: c.Format, Notes: c.Notes, Events: c.Events, Zone: c.Zone, AsOf: c.AsOf, By: c.By}}, nil
}
