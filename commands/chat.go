package commands

import (
	"cmp"
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/ids"
)

// Chats runs the commands of package chat. What they say about agents, teams,
// tags and statuses is checked against the log first.
type Chats struct {
	chats    *aggregate[chat.State, chat.Event]
	agents   Agents
	teams    Teams
	tags     Tags
	statuses Statuses
	channels Channels
	spaces   Workspaces
	contacts Contacts
}

// decides is a command without conditions outside its own chat.
func decides[S, E any](decide func(S) ([]E, error)) decideFunc[S, E] {
	return func(_ context.Context, s S) ([]E, error) { return decide(s) }
}

// together is several commands as one, all of them or none. None of them may depend on
// what another does.
func together[S, E any](decisions []func(S) ([]E, error)) decideFunc[S, E] {
	return func(_ context.Context, s S) (all []E, err error) {
		for _, decide := range decisions {
			events, err := decide(s)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
		return all, nil
	}
}

// Receive records a customer's message, and opens or reopens the chat.
func (c Chats) Receive(ctx context.Context, o Origin, id chat.ID, cmd chat.ReceiveMessage) (Result, error) {
	return c.chats.do(ctx, o, "chat.receive_message", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		settings, err := c.spaces.Settings(ctx, o.Workspace)
		if err != nil {
			return nil, err
		}
		cmd.Words = chat.MarketingWords{Out: settings.Words.Out, In: settings.Words.In}
		if cmd.Reopen, err = c.reopening(ctx, o.Workspace, s, *settings.Reopening); err != nil {
			return nil, err
		}
		if cmd.Blocked, err = c.contacts.blocked(ctx, o.Workspace, cmd.Customer); err != nil {
			return nil, err
		}
		if cmd.Blocked && !s.Exists {
			closed, err := c.statuses.closing(ctx, o.Workspace, "")
			if err != nil {
				return nil, err
			}
			cmd.ClosedStatus = string(closed.ID)
		}
		err = c.initial(ctx, o.Workspace, s, &cmd.DefaultStatus, &cmd.DefaultCategory)
		return after(err, cmd.Decide, s)
	})
}

// reopening returns what a closed chat has after its customer wrote. A status from
// before that is not in use any more is the one that it was remapped to, else the
// default.
func (c Chats) reopening(ctx context.Context, of string, s chat.State, rule workspace.Reopening) (r chat.Reopening, err error) {
	if !s.Closed() {
		return r, nil
	}
	r.Unassign = rule.Assignee == workspace.Unassign
	if rule.Status != workspace.ReopenPrevious || s.Before == "" {
		return r, nil
	}
	err = c.statuses.statuses.with(ctx, of, func(list status.State) error {
		if item, ok := list.Get(list.Resolve(status.ID(s.Before))); ok && !item.Archived && item.Category != status.Closed {
			r.Status, r.Category = string(item.ID), chat.Category(item.Category)
		}
		return nil
	})
	return r, err
}

// ReceiveReaction records a customer's reaction to a message.
func (c Chats) ReceiveReaction(ctx context.Context, o Origin, id chat.ID, cmd chat.ReceiveReaction) (Result, error) {
	return c.chats.do(ctx, o, "chat.receive_reaction", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		err := c.initial(ctx, o.Workspace, s, &cmd.DefaultStatus, &cmd.DefaultCategory)
		return after(err, cmd.Decide, s)
	})
}

// NoticeSystem records what the channel tells about the customer.
func (c Chats) NoticeSystem(ctx context.Context, o Origin, id chat.ID, cmd chat.NoticeSystem) (Result, error) {
	return c.chats.do(ctx, o, "chat.notice_system", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		err := c.initial(ctx, o.Workspace, s, &cmd.DefaultStatus, &cmd.DefaultCategory)
		return after(err, cmd.Decide, s)
	})
}

// initial sets what a chat that is opened or reopened begins with.
func (c Chats) initial(ctx context.Context, workspace string, s chat.State, id *string, category *chat.Category) error {
	if s.Exists && !s.Closed() {
		return nil
	}
	item, err := c.statuses.initial(ctx, workspace)
	*id, *category = string(item.ID), chat.Category(item.Category)
	return err
}

// ShareDetails records details of the visitor, who becomes a contact.
func (c Chats) ShareDetails(ctx context.Context, o Origin, id chat.ID, cmd chat.ShareDetails) (Result, error) {
	return c.chats.do(ctx, o, "chat.share_details", string(id), decides(cmd.Decide))
}

// SetMarketing says whether the customer takes marketing.
func (c Chats) SetMarketing(ctx context.Context, o Origin, id chat.ID, cmd chat.SetMarketing) (Result, error) {
	return c.chats.do(ctx, o, "chat.set_marketing", string(id), decides(cmd.Decide))
}

// reach returns whether the customer of a chat is blocked, and for how long after
// their last message the channel takes free ones.
func (c Chats) reach(ctx context.Context, s chat.State) (blocked bool, window time.Duration, err error) {
	if !s.Exists {
		return false, 0, nil
	}
	if blocked, err = c.contacts.blocked(ctx, s.Workspace, s.Customer); err != nil {
		return false, 0, err
	}
	window, err = c.channels.window(ctx, s.Channel)
	return blocked, window, err
}

// Send queues an answer. The reactor that hands it to the provider follows.
func (c Chats) Send(ctx context.Context, o Origin, id chat.ID, cmd chat.SendMessage) (Result, error) {
	var err error
	if cmd.ReplyTo, err = answered(ctx, c.chats, o.Workspace, id, cmd.ReplyTo); err != nil {
		return Result{}, err
	}
	return c.chats.do(ctx, o, "chat.send_message", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		cmd.Blocked, cmd.Window, err = c.reach(ctx, s)
		return after(err, cmd.Decide, s)
	})
}

// Accept records that the provider took a message.
func (c Chats) Accept(ctx context.Context, o Origin, id chat.ID, cmd chat.AcceptMessage) (Result, error) {
	return c.chats.do(ctx, o, "chat.accept_message", string(id), decides(cmd.Decide))
}

// RecordDelivery records how far a message got.
func (c Chats) RecordDelivery(ctx context.Context, o Origin, id chat.ID, cmd chat.RecordDelivery) (Result, error) {
	return c.chats.do(ctx, o, "chat.record_delivery", string(id), decides(cmd.Decide))
}

// Claim takes a chat that nobody has. Of two agents who claim it at once, one
// gets it and the other chat.ErrClaimed.
func (c Chats) Claim(ctx context.Context, o Origin, id chat.ID, cmd chat.Claim) (Result, error) {
	return c.chats.do(ctx, o, "chat.claim", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return after(c.agents.mayHold(ctx, o.Workspace, string(cmd.By)), cmd.Decide, s)
	})
}

// Assign makes an active agent responsible for the chat.
func (c Chats) Assign(ctx context.Context, o Origin, id chat.ID, cmd chat.Assign) (Result, error) {
	return c.chats.do(ctx, o, "chat.assign", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return after(c.agents.mayHold(ctx, o.Workspace, string(cmd.To)), cmd.Decide, s)
	})
}

// AssignByRule gives a chat that waits in a team to the member whom the team's
// rule chose.
func (c Chats) AssignByRule(ctx context.Context, o Origin, id chat.ID, cmd chat.AssignByRule) (Result, error) {
	return c.chats.do(ctx, o, "chat.assign_by_rule", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return after(c.agents.mayHold(ctx, o.Workspace, string(cmd.To)), cmd.Decide, s)
	})
}

// Unassign leaves the chat to nobody.
func (c Chats) Unassign(ctx context.Context, o Origin, id chat.ID, cmd chat.Unassign) (Result, error) {
	return c.chats.do(ctx, o, "chat.unassign", string(id), decides(cmd.Decide))
}

// Transfer hands the chat on to an active agent, a team or the bot.
func (c Chats) Transfer(ctx context.Context, o Origin, id chat.ID, cmd chat.Transfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.transfer", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return after(c.mayReceive(ctx, o.Workspace, cmd.Kind, cmd.To), cmd.Decide, s)
	})
}

// ChangeTags is a delta of tags, each by id or by name.
type ChangeTags struct {
	Add, Remove []string
	MayCreate   bool // a name in Add that is no tag yet becomes one
}

// ChangeTags adds and removes tags. Adding one that is there, or removing one
// that is not, changes nothing.
func (c Chats) ChangeTags(ctx context.Context, o Origin, id chat.ID, cmd ChangeTags) (Result, error) {
	o = o.identified()
	return c.chats.do(ctx, o, "chat.change_tags", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		// Decide first on what is known, so that no tag is made for a chat that
		// cannot be tagged.
		if _, err := (chat.ChangeTags{Add: untyped(cmd.Add), Remove: untyped(cmd.Remove)}).Decide(s); err != nil {
			return nil, err
		}
		found, err := c.tags.resolve(ctx, o, cmd, func(id string) bool { _, there := s.Tags[chat.TagID(id)]; return there })
		if err != nil {
			return nil, err
		}
		delta := chat.ChangeTags{Add: untyped(found.Add), Remove: untyped(found.Remove)}
		if len(delta.Add)+len(delta.Remove) == 0 {
			return nil, nil
		}
		return delta.Decide(s)
	})
}

func untyped(names []string) (tags []chat.TagID) {
	for _, n := range names {
		tags = append(tags, chat.TagID(n))
	}
	return tags
}

// AddNote puts a private note on the chat.
func (c Chats) AddNote(ctx context.Context, o Origin, id chat.ID, cmd chat.AddNote) (Result, error) {
	return c.chats.do(ctx, o, "chat.add_note", string(id), decides(cmd.Decide))
}

// EditNote replaces the text of a note.
func (c Chats) EditNote(ctx context.Context, o Origin, id chat.ID, cmd chat.EditNote) (Result, error) {
	return c.chats.do(ctx, o, "chat.edit_note", string(id), decides(cmd.Decide))
}

// DeleteNote takes a note out of the conversation.
func (c Chats) DeleteNote(ctx context.Context, o Origin, id chat.ID, cmd chat.DeleteNote) (Result, error) {
	return c.chats.do(ctx, o, "chat.delete_note", string(id), decides(cmd.Decide))
}

// SetStatus moves the chat to a status of the workspace, given by id or name.
// One of the closed category closes the chat.
func (c Chats) SetStatus(ctx context.Context, o Origin, id chat.ID, nameOrID string) (Result, error) {
	o = o.identified()
	return c.chats.do(ctx, o, "chat.set_status", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		none := func(status.State) status.Item { return status.Item{} }
		return c.statuses.give(ctx, o, s, cmp.Or(nameOrID, "\x00"), none, func(to status.Item) ([]chat.Event, error) {
			return chat.SetStatus{Status: string(to.ID), Category: chat.Category(to.Category)}.Decide(s)
		})
	})
}

// Close moves the chat to a status of the closed category: the one given by id
// or name, else the workspace's first.
func (c Chats) Close(ctx context.Context, o Origin, id chat.ID, nameOrID string) (Result, error) {
	o = o.identified()
	return c.chats.do(ctx, o, "chat.close", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return c.statuses.give(ctx, o, s, nameOrID, status.State.FirstClosed, func(to status.Item) ([]chat.Event, error) {
			if to.Category != status.Closed {
				return nil, chat.ErrStatusNotClosed
			}
			return chat.Close{Status: string(to.ID)}.Decide(s)
		})
	})
}

// Reopen moves a closed chat to the status given by id or name, else to the
// workspace's default.
func (c Chats) Reopen(ctx context.Context, o Origin, id chat.ID, nameOrID string) (Result, error) {
	o = o.identified()
	return c.chats.do(ctx, o, "chat.reopen", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		return c.statuses.give(ctx, o, s, nameOrID, status.State.Default, func(to status.Item) ([]chat.Event, error) {
			return chat.Reopen{Status: string(to.ID), Category: chat.Category(to.Category)}.Decide(s)
		})
	})
}

// MarkRead says that everything in the chat has been seen, perhaps to the customer, too.
func (c Chats) MarkRead(ctx context.Context, o Origin, id chat.ID, cmd chat.MarkRead) (Result, error) {
	return c.chats.do(ctx, o, "chat.mark_read", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		marks, err := c.channels.readMarks(ctx, s.Channel)
		cmd.Always, cmd.Never = marks == channel.ReadMarksAlways, marks == channel.ReadMarksNever
		if err == nil && (cmd.Show || cmd.Always) {
			cmd.Blocked, _, err = c.reach(ctx, s)
		}
		return after(err, cmd.Decide, s)
	})
}

// ShowTyping shows the customer that an answer is being written. The reactor that hands
// it to the provider follows.
func (c Chats) ShowTyping(ctx context.Context, o Origin, id chat.ID, cmd chat.ShowTyping) (Result, error) {
	return c.chats.do(ctx, o, "chat.show_typing", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		marks, err := c.channels.readMarks(ctx, s.Channel)
		if err != nil {
			return nil, err
		}
		cmd.Never = marks == channel.ReadMarksNever
		cmd.Blocked, cmd.Window, err = c.reach(ctx, s)
		return after(err, cmd.Decide, s)
	})
}

// MarkUnread puts the chat back among the unread ones.
func (c Chats) MarkUnread(ctx context.Context, o Origin, id chat.ID, cmd chat.MarkUnread) (Result, error) {
	return c.chats.do(ctx, o, "chat.mark_unread", string(id), decides(cmd.Decide))
}

// Delete hides the chat from every list and count.
func (c Chats) Delete(ctx context.Context, o Origin, id chat.ID, cmd chat.Delete) (Result, error) {
	return c.chats.do(ctx, o, "chat.delete", string(id), decides(cmd.Decide))
}

// Restore brings a deleted chat back.
func (c Chats) Restore(ctx context.Context, o Origin, id chat.ID, cmd chat.Restore) (Result, error) {
	return c.chats.do(ctx, o, "chat.restore", string(id), decides(cmd.Decide))
}

// Snooze puts the chat aside.
func (c Chats) Snooze(ctx context.Context, o Origin, id chat.ID, cmd chat.PutAside) (Result, error) {
	return c.chats.do(ctx, o, "chat.snooze", string(id), decides(cmd.Decide))
}

// Wake ends a snooze before its time.
func (c Chats) Wake(ctx context.Context, o Origin, id chat.ID, cmd chat.WakeUp) (Result, error) {
	return c.chats.do(ctx, o, "chat.wake", string(id), decides(cmd.Decide))
}

// WakeDue ends a snooze whose time has come.
func (c Chats) WakeDue(ctx context.Context, o Origin, id chat.ID, cmd chat.WakeDue) (Result, error) {
	return c.chats.do(ctx, o, "chat.wake_due", string(id), decides(cmd.Decide))
}

// EndCall records in the chat how a call ended.
func (c Chats) EndCall(ctx context.Context, o Origin, id chat.ID, cmd chat.EndCall) (Result, error) {
	return c.chats.do(ctx, o, "chat.end_call", string(id), decides(cmd.Decide))
}

// StoreMedia records that the file of a message is kept.
func (c Chats) StoreMedia(ctx context.Context, o Origin, id chat.ID, cmd chat.StoreMedia) (Result, error) {
	return c.chats.do(ctx, o, "chat.store_media", string(id), decides(cmd.Decide))
}

// FailMedia records that the file of a message could not be had.
func (c Chats) FailMedia(ctx context.Context, o Origin, id chat.ID, cmd chat.FailMedia) (Result, error) {
	return c.chats.do(ctx, o, "chat.fail_media", string(id), decides(cmd.Decide))
}

// UploadFile records that a file is kept for messages to the customer.
func (c Chats) UploadFile(ctx context.Context, o Origin, id chat.ID, cmd chat.UploadFile) (Result, error) {
	cmd.File.ID = chat.FileID(ids.Command("chat file", string(id), cmd.File.SHA256, cmd.File.MIMEType).String())
	res, err := c.chats.do(ctx, o, "chat.upload_file", string(id), decides(cmd.Decide))
	res.ID = string(cmd.File.ID)
	return res, err
}

// DiscardFile records that an uploaded file is kept no more.
func (c Chats) DiscardFile(ctx context.Context, o Origin, id chat.ID, cmd chat.DiscardFile) (Result, error) {
	return c.chats.do(ctx, o, "chat.discard_file", string(id), decides(cmd.Decide))
}

// RequestMedia asks for another try at the file of a message.
func (c Chats) RequestMedia(ctx context.Context, o Origin, id chat.ID, cmd chat.RequestMedia) (Result, error) {
	return c.chats.do(ctx, o, "chat.request_media", string(id), decides(cmd.Decide))
}

// DownloadTranscript records that somebody takes a transcript with them. Package
// transcript writes it.
func (c Chats) DownloadTranscript(ctx context.Context, o Origin, id chat.ID, cmd chat.DownloadTranscript) (Result, error) {
	return c.chats.do(ctx, o, "chat.download_transcript", string(id), decides(cmd.Decide))
}

// Look calls use with the present state of a chat of the workspace, which use
// must neither keep nor change.
func (c Chats) Look(ctx context.Context, workspace string, id chat.ID, use func(chat.State) error) error {
	return c.chats.with(ctx, string(id), func(s chat.State) error {
		if s.Workspace != workspace {
			return chat.ErrNotFound
		}
		return use(s)
	})
}

// after decides if the condition that was checked first holds.
func after[S, E any](condition error, decide func(S) ([]E, error), s S) ([]E, error) {
	if condition != nil {
		return nil, condition
	}
	return decide(s)
}

// NewNote returns the id of the note that the command o makes.
func NewNote(o Origin) chat.NoteID { return chat.NoteID(ids.Of(o.Command, "note")) }

// NewMessage returns the id of the message that the command o makes.
func NewMessage(o Origin) chat.MessageID { return chat.MessageID(ids.Of(o.Command, "message")) }
