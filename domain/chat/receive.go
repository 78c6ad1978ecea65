package chat

import "time"

// ReceiveMessage takes in what a customer wrote. It opens the chat if there is
// none, restores a deleted one, since a customer must not be lost, wakes a snoozed
// one, and reopens a closed one as the workspace wants it. What a blocked customer
// writes is kept where nobody is bothered with it.
//
// Repeats are told by the id of the command, which the caller derives from the
// provider's id of the message: the State does not keep them.
type ReceiveMessage struct {
	Workspace       string
	Channel         string
	Customer        string
	DefaultStatus   string
	DefaultCategory Category
	Reopen          Reopening
	Blocked         bool   // the customer is: it is kept, and changes nothing else
	ClosedStatus    string // of a chat that a blocked customer begins
	Words           MarketingWords
	Message         MessageID
	ProviderID      string
	ProfileName     string
	Content         Content
	Context         *Context
	Referral        *Referral
	Calls           *CallPermission // what they say about calls; nil: nothing
	At              time.Time
}

// Decide implements the command.
func (c ReceiveMessage) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "":
		return nil, ErrMessageMissing
	case c.ProviderID == "":
		return nil, ErrProviderIDMissing
	case c.Blocked && !s.Exists && c.ClosedStatus == "":
		return nil, ErrStatusMissing
	}
	events, err := open(s, Opened{
		Workspace: c.Workspace, Channel: c.Channel, Customer: c.Customer,
		Status: c.DefaultStatus, Category: c.DefaultCategory, At: c.At,
	})
	if err != nil {
		return nil, err
	}
	events = append(events, MessageReceived{
		Message: c.Message, ProviderID: c.ProviderID, ProfileName: c.ProfileName,
		Content: c.Content, Context: c.Context, Referral: c.Referral, Blocked: c.Blocked, At: c.At,
	})
	events = append(events, s.marketing(c.Words, c.Message, c.Content, c.At)...)
	if c.Calls != nil {
		events = append(events, c.Calls.changed(PermittedByCustomer, c.Message))
	}
	if c.Blocked {
		if !s.Exists {
			events = append(events, Closed{Status: c.ClosedStatus, Category: CategoryClosed, From: c.DefaultStatus})
		}
		return append(events, s.cancelOnReply(c.Message, c.At)...), nil
	}
	if s.Deleted {
		events = append(events, Restored{Message: c.Message})
	}
	events = append(events, s.cancelOnReply(c.Message, c.At)...)
	if s.Snooze != nil {
		events = append(events, Woken{Reason: WokenByReply, Message: c.Message})
	}
	if s.Closed() {
		to := c.Reopen
		if to.Status == "" {
			to.Status, to.Category = c.DefaultStatus, c.DefaultCategory
		}
		if err := checkOpen(to.Status, to.Category); err != nil {
			return nil, err
		}
		events = append(events, Reopened{Status: to.Status, Category: to.Category, From: s.Status, Message: c.Message})
		if to.Unassign && s.Assignee != "" {
			events = append(events, Unassigned{From: s.Assignee})
		}
	}
	return events, nil
}

// Reopening is what a closed chat has after its customer wrote.
type Reopening struct {
	Status   string // "" is the default
	Category Category
	Unassign bool // nobody has it then
}

// ReceiveReaction takes in an emoji that a customer put on a message, or took
// away. It opens the chat if there is none, and neither reopens it nor counts
// as unread. Repeats are told as those of ReceiveMessage.
type ReceiveReaction struct {
	Workspace       string
	Channel         string
	Customer        string
	DefaultStatus   string
	DefaultCategory Category
	ProviderID      string
	Target          string // provider id of the message reacted to
	Emoji           string // "" takes the reaction away
	At              time.Time
}

// Decide implements the command.
func (c ReceiveReaction) Decide(s State) ([]Event, error) {
	switch {
	case c.ProviderID == "":
		return nil, ErrProviderIDMissing
	case c.Target == "":
		return nil, ErrTargetMissing
	}
	events, err := open(s, Opened{
		Workspace: c.Workspace, Channel: c.Channel, Customer: c.Customer,
		Status: c.DefaultStatus, Category: c.DefaultCategory, At: c.At,
	})
	if err != nil {
		return nil, err
	}
	return append(events, ReactionReceived{ProviderID: c.ProviderID, Target: c.Target, Emoji: c.Emoji, At: c.At}), nil
}

// NoticeSystem takes in what the channel tells about the customer. It opens the
// chat if there is none, and neither reopens it nor counts as unread. Repeats
// are told as those of ReceiveMessage.
type NoticeSystem struct {
	Workspace       string
	Channel         string
	Customer        string
	DefaultStatus   string
	DefaultCategory Category
	ProviderID      string
	Kind            string
	Text            string
	NewNumber       string
	At              time.Time
}

// Decide implements the command.
func (c NoticeSystem) Decide(s State) ([]Event, error) {
	if c.ProviderID == "" {
		return nil, ErrProviderIDMissing
	}
	events, err := open(s, Opened{
		Workspace: c.Workspace, Channel: c.Channel, Customer: c.Customer,
		Status: c.DefaultStatus, Category: c.DefaultCategory, At: c.At,
	})
	if err != nil {
		return nil, err
	}
	return append(events, SystemNoticed{
		ProviderID: c.ProviderID, Kind: c.Kind, Text: c.Text, NewNumber: c.NewNumber, At: c.At,
	}), nil
}

// open returns o if there is no chat yet.
func open(s State, o Opened) ([]Event, error) {
	if s.Exists {
		return nil, nil
	}
	if o.Workspace == "" || o.Channel == "" || o.Customer == "" {
		return nil, ErrOpening
	}
	if err := checkOpen(o.Status, o.Category); err != nil {
		return nil, err
	}
	return []Event{o}, nil
}
