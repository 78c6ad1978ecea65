package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

// Shape of the log that views are built from.
const (
	chatsAtOnce = 100 // that go on side by side
	partEvents  = 5   // of a chat in one append
	fillers     = 128
	storySpace  = "acme"
	storyAgents = 50
)

// chatName returns the stream of the nth chat.
func chatName(n int) string { return "chat-" + numbered(1, n).String() }

func numbered(kind byte, n int) uuid.UUID {
	var seed [9]byte
	seed[0] = kind
	binary.LittleEndian.PutUint64(seed[1:], uint64(n))
	return uuid.NewSHA1(uuid.NameSpaceOID, seed[:])
}

// fill records n events of chats, twenty each, of which sixteen are messages. At
// any time many chats go on side by side.
func fill(ctx context.Context, s eventstore.Store, n int) error {
	c := commands.Codec()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	chats := n / streamLength
	for first := 0; first < chats; first += chatsAtOnce {
		g.Go(func() error {
			stories := make([][]eventstore.Event, min(chatsAtOnce, chats-first))
			for i := range stories {
				var err error
				if stories[i], err = story(c, first+i); err != nil {
					return err
				}
			}
			for at := 0; at < streamLength; at += partEvents {
				for i, events := range stories {
					if _, err := s.Append(ctx, chatName(first+i), eventstore.Revision(at-1), events[at:at+partEvents]...); err != nil {
						return fmt.Errorf("fill log: %w", err)
					}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// story returns the events of the nth chat.
func story(c codec.Codec[codec.Event], n int) ([]eventstore.Event, error) {
	at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	agent := chat.AgentID(fmt.Sprintf("agent-%d", n%storyAgents))
	customer := fmt.Sprintf("5511%09d", n)
	text := strings.Repeat("what about my parcel? ", 6)
	facts := []codec.Event{
		chat.Opened{Workspace: storySpace, Channel: "whatsapp", Customer: customer, Status: "OPEN", Category: chat.CategoryOpen, At: at},
	}
	message := func(i int) codec.Event {
		id := chat.MessageID(numbered(2, n*streamLength+i).String())
		at := at.Add(time.Duration(i) * time.Minute)
		if i%2 == 0 {
			return chat.MessageQueued{Message: id, Text: text, By: agent, At: at}
		}
		return chat.MessageReceived{
			Message: id, ProviderID: "wamid." + string(id), ProfileName: "Ana", Content: chat.Content{Kind: "text", Text: text}, At: at,
		}
	}
	for i := 1; i < 8; i++ {
		facts = append(facts, message(i))
		if i == 1 {
			facts = append(facts, chat.Claimed{By: agent})
		}
	}
	facts = append(facts, chat.TagsChanged{Added: []chat.TagID{"vip"}})
	for i := 8; i < 17; i++ {
		facts = append(facts, message(i))
	}
	facts = append(facts, chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed})
	events := make([]eventstore.Event, len(facts))
	for i, f := range facts {
		meta := eventstore.Metadata{
			Workspace: storySpace, Actor: string(agent), ActorKind: "agent", Channel: "whatsapp", Command: "chat.receive",
			CommandID: numbered(3, n*streamLength+i).String(), OccurredAt: at.Add(time.Duration(i) * time.Minute),
		}
		e, err := c.Encode(numbered(4, n*streamLength+i), f, meta)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}
