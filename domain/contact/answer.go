package contact

import (
	"crypto/sha256"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Answer records what a person answered to a question of a chatflow. It may mark
// them as a contact, and fill a field, which somebody who is no contact yet has as
// well. The answer that was given last to a question is no event.
type Answer struct {
	Workspace string
	Bot       AgentID
	Flow      string
	Question  string
	Value     string
	Marks     bool
	Changes   []Change // what the answer fills
	Link      Link     // the chat, if it was given in one
	Profile   string   // as in Record
	Status    string   // the workspace's default
	Category  Category
	At        time.Time
}

// Decide implements the command.
func (c Answer) Decide(s State) ([]Event, error) {
	if c.Workspace == "" {
		return nil, ErrWorkspace
	}
	if c.Bot == "" {
		return nil, ErrBotMissing
	}
	for _, r := range []struct {
		text string
		rule text.Rule
	}{{c.Flow, flowText}, {c.Question, questionText}, {c.Value, answerText}} {
		if err := r.rule.Check(r.text); err != nil {
			return nil, err
		}
	}
	var events []Event
	key := questionKey(c.Flow, c.Question)
	if last, asked := s.Answers[key]; !asked && len(s.Answers) >= MaxAnswers {
		return nil, ErrTooManyAnswers
	} else if !asked || last != sha256.Sum256([]byte(c.Value)) {
		e := Answered{Workspace: c.Workspace, Bot: c.Bot, Flow: c.Flow, Question: c.Question, Value: c.Value, Chat: c.Link.Chat, At: c.At, Marks: c.Marks}
		for _, ch := range c.Changes {
			if id, own := Attribute(ch.Field); own {
				e.Attribute = id
			}
		}
		events = append(events, e)
	}
	r := Record{
		Workspace: c.Workspace, Changes: c.Changes, Status: c.Status, Category: c.Category, At: c.At, Strict: true, Revive: c.Marks,
		Source: c.Source(),
	}
	if c.Marks || s.Exists && !s.Deleted {
		r.Link, r.Profile = c.Link, c.Profile
		more, err := r.Decide(s)
		return append(events, more...), err
	}
	changes, err := clean(c.Changes, true)
	if err != nil {
		return nil, err
	}
	news, err := s.differ(changes, c.At, true)
	if err != nil {
		return nil, err
	}
	if len(news) > 0 {
		events = append(events, DetailsSet{Changes: news, Source: r.Source, At: c.At})
	}
	return events, nil
}

// Source returns where what the answer fills comes from.
func (c Answer) Source() Source {
	return Source{Reason: ByChatflow, Chat: c.Link.Chat, Flow: c.Flow, Question: c.Question, By: c.Bot}
}

// questionKey names a question of a flow, unambiguously.
func questionKey(flow, question string) string { return flow + "\x00" + question }
