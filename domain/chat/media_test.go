package chat_test

import (
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestMedia(t *testing.T) {
	photo := chat.MessageReceived{Message: "m2", ProviderID: "wamid.2", At: noon, Content: chat.Content{Kind: "image", Media: &chat.Media{ID: "7", MIMEType: "image/jpeg"}}}
	kept := chat.MediaStored{Message: "m2", SHA256: strings.Repeat("0a", 32), Size: 5, MIMEType: "image/jpeg", At: later}
	other := kept
	other.SHA256 = strings.Repeat("0b", 32)
	lost := chat.MediaFailed{Message: "m2", Code: chat.MediaRefused, Reason: "the token has expired", At: later}
	wanted := chat.MediaRequested{Message: "m2", By: "ann", At: later}
	store := func(change func(*chat.MediaStored)) chat.StoreMedia {
		e := kept
		change(&e)
		return chat.StoreMedia{MediaStored: e}
	}
	fail := func(change func(*chat.MediaFailed)) chat.FailMedia {
		e := lost
		change(&e)
		return chat.FailMedia{MediaFailed: e}
	}
	ask := chat.RequestMedia{Message: "m2", By: "ann", At: later}
	long := lost
	long.Reason = strings.Repeat("é", 1_000)
	run(t, cases{
		{Name: "store", Given: past{opened, photo}, When: chat.StoreMedia{MediaStored: kept}, Then: past{kept}},
		{Name: "store in a deleted chat", Given: past{opened, photo, gone}, When: chat.StoreMedia{MediaStored: kept}, Then: past{kept}},
		{Name: "what is kept stays", Given: past{opened, photo, kept}, When: chat.StoreMedia{MediaStored: other}},
		{Name: "it comes after all", Given: past{opened, photo, lost}, When: chat.StoreMedia{MediaStored: kept}, Then: past{kept}},
		{Name: "store the file of a message that has none", Given: past{opened, hello}, When: store(func(e *chat.MediaStored) { e.Message = "m1" }), Err: chat.ErrMediaNotFound},
		{Name: "store in no chat", When: chat.StoreMedia{MediaStored: kept}, Err: chat.ErrNotFound},
		{Name: "store under no hash", Given: past{opened, photo}, When: store(func(e *chat.MediaStored) { e.SHA256 = "../../etc" }), Err: chat.ErrMediaHash},
		{Name: "store under a hash in capitals", Given: past{opened, photo}, When: store(func(e *chat.MediaStored) { e.SHA256 = strings.ToUpper(e.SHA256) }), Err: chat.ErrMediaHash},
		{Name: "store nothing", Given: past{opened, photo}, When: store(func(e *chat.MediaStored) { e.Size = 0 }), Err: chat.ErrMediaHash},
		{Name: "store without a type", Given: past{opened, photo}, When: store(func(e *chat.MediaStored) { e.MIMEType = "" }), Err: chat.ErrMediaHash},
		{Name: "fail", Given: past{opened, photo}, When: chat.FailMedia{MediaFailed: lost}, Then: past{lost}},
		{Name: "fail twice", Given: past{opened, photo, lost}, When: fail(func(e *chat.MediaFailed) { e.Code = chat.MediaGone })},
		{Name: "fail what is kept", Given: past{opened, photo, kept}, When: chat.FailMedia{MediaFailed: lost}},
		{Name: "fail with a long story", Given: past{opened, photo}, When: fail(func(e *chat.MediaFailed) { e.Reason = "\x00" + strings.Repeat("é", 2_000) + "\xff" }), Then: past{long}},
		{Name: "fail for no reason", Given: past{opened, photo}, When: fail(func(e *chat.MediaFailed) { e.Code = "because" }), Err: chat.ErrMediaCode},
		{Name: "fail the file of a message that has none", Given: past{opened, hello}, When: fail(func(e *chat.MediaFailed) { e.Message = "m1" }), Err: chat.ErrMediaNotFound},
		{Name: "ask again", Given: past{opened, photo, lost}, When: ask, Then: past{wanted}},
		{Name: "ask again twice", Given: past{opened, photo, lost, wanted}, When: ask},
		{Name: "ask for what is on its way", Given: past{opened, photo}, When: ask},
		{Name: "ask for what is kept", Given: past{opened, photo, kept}, When: ask},
		{Name: "fail again", Given: past{opened, photo, lost, wanted}, When: chat.FailMedia{MediaFailed: lost}, Then: past{lost}},
		{Name: "store after all", Given: past{opened, photo, lost, wanted}, When: chat.StoreMedia{MediaStored: kept}, Then: past{kept}},
		{Name: "ask in a deleted chat", Given: past{opened, photo, lost, gone}, When: ask, Err: chat.ErrNotFound},
		{Name: "ask for the file of a message that has none", Given: past{opened, hello}, When: chat.RequestMedia{Message: "m1", By: "ann"}, Err: chat.ErrMediaNotFound},
		{Name: "ask by nobody", Given: past{opened, photo, lost}, When: chat.RequestMedia{Message: "m2"}, Err: chat.ErrByMissing},
	})
}
