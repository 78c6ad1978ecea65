package chat

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/media"
)

// UploadKept is how long after it was uploaded a file can be put into a message. A
// file that no message was sent with may be gone afterwards.
const UploadKept = 30 * 24 * time.Hour

// uploadFresh is for how long the same file again is no event: later it says that the
// file is kept for longer.
const uploadFresh = 24 * time.Hour

// Bounds of what is sent with files.
const (
	maxUploads  = 1_000 // of a chat, in the time of UploadKept
	maxCaption  = 1_024 // runes, as WhatsApp has it
	maxFilename = 240   // runes, as WhatsApp has it
)

// Upload is a file that messages of a chat can be sent with.
type Upload struct {
	FileUse
	At time.Time // the last time that it was uploaded
}

func words(s string, most int) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\x00") && utf8.RuneCountInString(s) <= most
}

// check refuses a caption and a name that a provider would not take. The kind may
// not be known yet.
func (f FileUse) check(caption string) error {
	switch {
	case f.ID == "":
		return ErrFileMissing
	case !words(caption, maxCaption), caption != "" && (f.Kind == media.Audio || f.Kind == media.Sticker):
		return ErrCaption
	case !words(f.Filename, maxFilename), f.Filename != "" && f.Kind != "" && f.Kind != media.Document:
		return ErrFilename
	}
	return nil
}

// withFile returns o with all that its file's provider has to be told: whoever asks
// for a message knows of its file no more than the id.
func (s State) withFile(o Outgoing, at time.Time) (Outgoing, error) {
	if t := o.Template; t != nil && t.Header != nil && t.Header.File != nil {
		return s.withHeaderFile(o, at)
	}
	if o.Media == nil {
		return o, nil
	}
	f, known := s.Files[o.Media.ID]
	switch {
	case !known:
		return o, ErrFileNotFound
	case at.Sub(f.At) > UploadKept:
		return o, ErrFileExpired
	}
	use := f.FileUse
	use.Filename = o.Media.Filename
	o.Media = &use
	return o, o.check() // now that its kind is known
}

// Uploaded returns a file that can be put into a message of any chat of the workspace.
func (s State) Uploaded(id FileID, at time.Time) (FileUse, error) {
	f, known := s.Files[id]
	switch {
	case !known, s.visible() != nil:
		return FileUse{}, ErrFileNotFound
	case at.Sub(f.At) > UploadKept:
		return FileUse{}, ErrFileExpired
	}
	return f.FileUse, nil
}

// withHeaderFile is withFile for the header of a template.
func (s State) withHeaderFile(o Outgoing, at time.Time) (Outgoing, error) {
	t, h := *o.Template, *o.Template.Header
	f, known := s.Files[h.File.ID]
	switch {
	case !known:
		e := *ErrFileNotFound
		e.Field = "template.values.media.id"
		return o, &e
	case at.Sub(f.At) > UploadKept:
		return o, ErrFileExpired
	case string(f.Kind) != h.Kind:
		return o, ErrFileKind.With("the header takes a file of kind " + h.Kind + ", and this one is of kind " + string(f.Kind))
	}
	use := f.FileUse
	use.Filename = h.File.Filename
	h.File, t.Header, o.Template = &use, &h, &t
	return o, nil
}

// Attachable refuses a chat that no file can be uploaded to.
func (s State) Attachable() error { return s.workable() }

// UploadFile records that a file is kept for messages to the customer. The same file
// again is no event within a day.
type UploadFile struct{ FileUploaded }

// Decide implements the command.
func (c UploadFile) Decide(s State) ([]Event, error) {
	f := c.File
	if len(f.SHA256) != hashDigits || strings.Trim(f.SHA256, hexDigits) != "" || f.Size <= 0 || f.MIMEType == "" {
		return nil, ErrMediaHash
	}
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case f.ID == "":
		return nil, ErrFileMissing
	case f.Filename != "": // the one that the customer sees is the message's
		return nil, ErrFilename
	case f.Kind.Max() == 0:
		return nil, media.ErrKind
	case f.Size > f.Kind.Max():
		return nil, f.Kind.TooLarge()
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	u, known := s.Files[f.ID]
	switch {
	case known && c.At.Sub(u.At) < uploadFresh:
		return nil, nil
	case known:
	case len(s.Files) >= maxUploads && s.uploads(c.At) >= maxUploads:
		return nil, ErrFiles
	}
	return []Event{c.FileUploaded}, nil
}

// UploadSpared is how long after it was uploaded a file is kept in any case: a little
// longer than it can be put into a message, so that whoever is at it just now gets through.
const UploadSpared = UploadKept + 24*time.Hour

// DiscardFile records that an uploaded file is kept no more. One that can still be put into
// a message, or that is in one that waits for its time, is refused.
type DiscardFile struct{ FileDiscarded }

// Decide implements the command. The State forgets files that have expired, so one that it
// does not know may have been uploaded.
func (c DiscardFile) Decide(s State) ([]Event, error) {
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case c.File == "":
		return nil, ErrFileMissing
	}
	if u, known := s.Files[c.File]; known && c.At.Sub(u.At) <= UploadSpared {
		return nil, ErrFileInUse
	}
	for _, m := range s.Scheduled {
		if f := m.File(); f != nil && f.ID == c.File {
			return nil, ErrFileInUse
		}
	}
	return []Event{c.FileDiscarded}, nil
}

// uploads returns how many files can be put into a message at a time.
func (s State) uploads(at time.Time) (n int) {
	for _, u := range s.Files {
		if at.Sub(u.At) <= UploadKept {
			n++
		}
	}
	return n
}
