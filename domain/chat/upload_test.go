package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/media"
)

func TestUploads(t *testing.T) {
	const day = 24 * time.Hour
	sum := strings.Repeat("0a", 32)
	file := func(k media.Kind, mime string) chat.FileUploaded {
		return chat.FileUploaded{File: chat.FileUse{ID: chat.FileID("f-" + k), Kind: k, SHA256: sum, Size: 5, MIMEType: mime}, By: "ann", At: noon}
	}
	photo, paper, sound := file(media.Image, "image/jpeg"), file(media.Document, "application/pdf"), file(media.Audio, "audio/ogg")
	upload := func(change func(*chat.FileUploaded)) chat.UploadFile {
		e := photo
		change(&e)
		return chat.UploadFile{FileUploaded: e}
	}
	renewed := photo
	renewed.At = noon.Add(2 * day)

	send := func(f chat.FileUse, caption string) chat.SendMessage {
		return chat.SendMessage{Message: "o1", By: "ann", At: later, Outgoing: chat.Outgoing{Text: caption, Media: &f}}
	}
	sent := func(f chat.FileUse, caption string) chat.MessageQueued {
		return chat.MessageQueued{Message: "o1", Text: caption, By: "ann", At: later, Media: &f}
	}
	named := paper.File
	named.Filename = "invoice.pdf"
	lateSend := send(chat.FileUse{ID: "f-image"}, "")
	lateSend.At = noon.Add(30*day + time.Second)

	soon := send(chat.FileUse{ID: "f-image"}, "look")
	soon.Later = &chat.Later{SendAt: noon.Add(40 * day)}
	waits := chat.MessageScheduled{Message: "o1", Outgoing: chat.Outgoing{Text: "look", Media: &photo.File}, SendAt: noon.Add(40 * day), By: "ann", At: later}
	due := sent(photo.File, "look")
	due.At, due.Scheduled = noon.Add(40*day), true
	bad := "\x00"

	header := func(kind string, id chat.FileID, size int64) chat.Outgoing {
		return chat.Outgoing{Text: "Hi", Template: &chat.TemplateUse{ID: "t", Name: "n", Language: "en", Header: &chat.TemplateHeader{
			Kind: kind, File: &chat.FileUse{ID: id, Size: size},
		}}}
	}
	form := func(o chat.Outgoing) chat.SendMessage {
		return chat.SendMessage{Message: "o1", By: "ann", At: later, Outgoing: o}
	}
	missing := &fault.Error{Kind: fault.NotFound, Code: chat.ErrFileNotFound.Code, Field: "template.values.media.id"}
	filled := header("image", "f-image", 0)
	filled.Template.Header.File = &photo.File

	full := past{opened}
	for i := range 1_000 {
		e := photo
		e.File.ID = chat.FileID(fmt.Sprint("f", i))
		full = append(full, e)
	}
	more := upload(func(e *chat.FileUploaded) { e.At = later })
	muchLater := upload(func(e *chat.FileUploaded) { e.At = noon.Add(31 * day) })

	discard := chat.DiscardFile{FileDiscarded: chat.FileDiscarded{File: "f-image", SHA256: photo.File.SHA256, At: noon.Add(31*day + time.Minute)}}
	headed := chat.MessageScheduled{Message: "o1", Outgoing: chat.Outgoing{Text: "Hi", Template: filled.Template}, SendAt: noon.Add(60 * day), By: "ann", At: later}

	run(t, cases{
		{Name: "upload", Given: past{opened}, When: chat.UploadFile{FileUploaded: photo}, Then: past{photo}},
		{Name: "upload the same", Given: past{opened, photo}, When: upload(func(e *chat.FileUploaded) { e.At = later })},
		{Name: "upload the same days later", Given: past{opened, photo}, When: chat.UploadFile{FileUploaded: renewed}, Then: past{renewed}},
		{Name: "upload to no chat", When: chat.UploadFile{FileUploaded: photo}, Err: chat.ErrNotFound},
		{Name: "upload to a deleted chat", Given: past{opened, gone}, When: chat.UploadFile{FileUploaded: photo}, Err: chat.ErrNotFound},
		{Name: "upload by nobody", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.By = "" }), Err: chat.ErrByMissing},
		{Name: "upload without an id", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.ID = "" }), Err: chat.ErrFileMissing},
		{Name: "upload under no hash", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.SHA256 = "../../etc" }), Err: chat.ErrMediaHash},
		{Name: "upload nothing", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.Size = 0 }), Err: chat.ErrMediaHash},
		{Name: "upload with a name", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.Filename = "a.jpg" }), Err: chat.ErrFilename},
		{Name: "upload something", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.Kind = "thing" }), Err: media.ErrKind},
		{Name: "upload too much", Given: past{opened}, When: upload(func(e *chat.FileUploaded) { e.File.Size = media.MaxImage + 1 }), Err: media.ErrTooLarge},
		{Name: "upload one more than all", Given: full, When: more, Err: chat.ErrFiles},
		{Name: "upload once the others expired", Given: full, When: muchLater, Then: past{muchLater.FileUploaded}},

		{Name: "send", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image"}, "look"), Then: past{sent(photo.File, "look")}},
		{Name: "send without a caption", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image"}, ""), Then: past{sent(photo.File, "")}},
		{Name: "send what is said of a file, not what it is", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image", SHA256: strings.Repeat("0b", 32), MIMEType: "text/html"}, ""), Then: past{sent(photo.File, "")}},
		{Name: "send under a name", Given: past{opened, paper}, When: send(chat.FileUse{ID: "f-document", Filename: "invoice.pdf"}, "here"), Then: past{sent(named, "here")}},
		{Name: "send a photo under a name", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image", Filename: "a.jpg"}, ""), Err: chat.ErrFilename},
		{Name: "send under a long name", Given: past{opened, paper}, When: send(chat.FileUse{ID: "f-document", Filename: strings.Repeat("é", 241)}, ""), Err: chat.ErrFilename},
		{Name: "send a sound with words", Given: past{opened, sound}, When: send(chat.FileUse{ID: "f-audio"}, "listen"), Err: chat.ErrCaption},
		{Name: "send with many words", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image"}, strings.Repeat("é", 1_024)), Then: past{sent(photo.File, strings.Repeat("é", 1_024))}},
		{Name: "send with too many words", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image"}, strings.Repeat("é", 1_025)), Err: chat.ErrCaption},
		{Name: "send with what is no text", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-image"}, "\x00"), Err: chat.ErrCaption},
		{Name: "send nothing", Given: past{opened, photo}, When: send(chat.FileUse{}, "look"), Err: chat.ErrFileMissing},
		{Name: "send what was not uploaded", Given: past{opened, photo}, When: send(chat.FileUse{ID: "f-video"}, ""), Err: chat.ErrFileNotFound},
		{Name: "send what is long gone", Given: past{opened, photo}, When: lateSend, Err: chat.ErrFileExpired},
		{Name: "send in a header", Given: past{opened, photo}, When: form(header("image", "f-image", 7)), Then: past{chat.MessageQueued{Message: "o1", Text: "Hi", By: "ann", At: later, Template: filled.Template}}},
		{Name: "send in a header of another kind", Given: past{opened, photo}, When: form(header("video", "f-image", 0)), Err: chat.ErrFileKind},
		{Name: "send in a header what was not uploaded", Given: past{opened}, When: form(header("image", "f-image", 0)), Err: missing},
		{Name: "send at a time", Given: past{opened, photo}, When: soon, Then: past{waits}},
		{Name: "send when the time has come, long after the upload", Given: past{opened, photo, waits}, When: chat.SendDue{Message: "o1", At: noon.Add(40 * day)}, Then: past{due}},
		{Name: "change the caption of what waits to no text", Given: past{opened, photo, waits}, When: chat.ChangeScheduled{Message: "o1", By: "ann", Text: &bad, At: later}, Err: chat.ErrCaption},
		{Name: "discard", Given: past{opened, photo}, When: discard, Then: past{discard.FileDiscarded}, Anew: true},
		{Name: "discard what the state forgot", Given: past{opened}, When: discard, Then: past{discard.FileDiscarded}, Anew: true},
		{Name: "discard what was sent otherwise", Given: past{opened, photo, waits, due}, When: discard, Then: past{discard.FileDiscarded}, Anew: true},
		{Name: "discard in a deleted chat", Given: past{opened, photo, gone}, When: discard, Then: past{discard.FileDiscarded}, Anew: true},
		{Name: "discard what can still be sent", Given: past{opened, photo, renewed}, When: discard, Err: chat.ErrFileInUse},
		{Name: "discard what waits to be sent", Given: past{opened, photo, waits}, When: discard, Err: chat.ErrFileInUse},
		{Name: "discard what waits in a header", Given: past{opened, photo, headed}, When: discard, Err: chat.ErrFileInUse},
		{Name: "discard nothing", Given: past{opened}, When: chat.DiscardFile{}, Err: chat.ErrFileMissing},
		{Name: "discard of no chat", When: discard, Err: chat.ErrNotFound},
		{Name: "send what was discarded", Given: past{opened, photo, discard.FileDiscarded}, When: lateSend, Err: chat.ErrFileNotFound},
		{Name: "upload what was discarded", Given: past{opened, photo, discard.FileDiscarded}, When: muchLater, Then: past{muchLater.FileUploaded}},
		{Name: "send what was uploaded again", Given: past{opened, photo, renewed}, When: lateSend, Then: past{func() chat.MessageQueued {
			e := sent(photo.File, "")
			e.At = lateSend.At
			return e
		}()}},
	})
}
