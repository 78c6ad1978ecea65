package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/ids"
)

// ChannelCmd looks after the accounts that customers write to.
type ChannelCmd struct {
	Add       ChannelAddCmd       `cmd:"" help:"Add an account, or give a known one new secrets."`
	List      ChannelListCmd      `cmd:"" help:"List channels, without their secrets."`
	Calls     ChannelCallsCmd     `cmd:"" help:"Say who makes calls for a channel."`
	Templates ChannelTemplatesCmd `cmd:"" help:"Take over the message templates that the provider has for a channel."`
	Remove    ChannelRemoveCmd    `cmd:"" help:"Disconnect a channel and forget its secrets. Its chats stay."`
}

// ChannelAddCmd holds one command for each kind of channel.
type ChannelAddCmd struct {
	WhatsApp ChannelAddWhatsAppCmd `cmd:"" name:"whatsapp" help:"Add a WhatsApp Business number and print the channel's id."`
}

// ChannelAddWhatsAppCmd is `channel add whatsapp`.
type ChannelAddWhatsAppCmd struct {
	StoreFlags
	Workspace     string `default:"default" placeholder:"ID" help:"The workspace (default: ${default}), made if it is not there."`
	Name          string `required:"" help:"What people call the channel."`
	PhoneNumberID string `required:"" placeholder:"ID" help:"Meta's id of the number."`
	Phone         string `default:"" placeholder:"DIGITS" help:"The number that customers write to; may be left out."`
	VerifyToken   string `required:"" placeholder:"TEXT" help:"What the webhook's address is verified with; you choose it."`
	AppSecret     string `required:"" placeholder:"SECRET" help:"Of the Meta app: signs the webhooks."`
	AccessToken   string `required:"" placeholder:"SECRET" help:"Of the Meta app: sends messages."`
	GraphURL      string `default:"" placeholder:"URL" help:"Base address of the Graph API that messages are sent to (default: Meta's)."`
}

// Run implements the command.
func (c ChannelAddWhatsAppCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, true, func(p *parts) error {
		id, err := p.addChannel(ctx, newChannel{
			workspace: c.Workspace, name: c.Name, phoneNumberID: c.PhoneNumberID, phone: c.Phone,
			secrets: accounts.ChannelSecrets{VerifyToken: c.VerifyToken, AppSecret: c.AppSecret, AccessToken: c.AccessToken, GraphURL: c.GraphURL},
		})
		if err != nil {
			return err
		}
		fmt.Fprintln(t.stdout, id)
		return nil
	})
}

// newChannel is what a WhatsApp channel is made of.
type newChannel struct {
	workspace, name, phoneNumberID, phone string
	secrets                               accounts.ChannelSecrets
}

// addChannel connects an account, and before it makes the workspace if it is not
// there. It returns the channel's id, the same for the same account.
func (p *parts) addChannel(ctx context.Context, n newChannel) (id string, err error) {
	if err := p.ensureWorkspace(ctx, n.workspace); err != nil {
		return "", err
	}
	id = ids.Channel(n.workspace, string(channel.WhatsApp), n.phoneNumberID)
	_, err = p.accounts.ChannelSecrets(ctx, id)
	known := err == nil
	if err != nil && !errors.Is(err, accounts.ErrNoSecrets) {
		return "", fmt.Errorf("look for channel's secrets: %w", err)
	}
	// The secrets first: a connected channel can be used.
	if err := p.accounts.PutChannelSecrets(ctx, id, n.secrets); err != nil {
		return "", fmt.Errorf("keep channel's secrets: %w", err)
	}
	connect := channel.Connect{Kind: channel.WhatsApp, Name: n.name, Account: n.phoneNumberID, Phone: n.phone}
	if _, err := p.commands.Channels.Connect(ctx, operator(n.workspace), channel.ID(id), connect); err != nil {
		return "", fmt.Errorf("connect channel: %w", err)
	}
	if known {
		if _, err := p.commands.Channels.ReplaceSecrets(ctx, operator(n.workspace), channel.ID(id), channel.ReplaceSecrets{}); err != nil {
			return "", fmt.Errorf("record new secrets: %w", err)
		}
	}
	return id, nil
}

// ChannelListCmd is `channel list`.
type ChannelListCmd struct {
	StoreFlags
	Workspace string `default:"" placeholder:"ID" help:"Only of this workspace (default: all of them)."`
}

// Run implements the command. It asks the log, which knows before any view does.
func (c ChannelListCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		list, err := p.channels(ctx)
		if err != nil {
			return err
		}
		return table(t.stdout, "ID\tWORKSPACE\tKIND\tNAME\tACCOUNT\tPHONE\tSTATE", func(line func(string, ...any)) {
			for _, ch := range list {
				state := "connected"
				if !ch.Connected {
					state = "disconnected"
				}
				if c.Workspace == "" || c.Workspace == ch.Workspace {
					line("%s\t%s\t%s\t%s\t%s\t%s\t%s", ch.id, ch.Workspace, ch.Kind, ch.Name, ch.Account, ch.Phone, state)
				}
			}
		})
	})
}

type knownChannel struct {
	id channel.ID
	channel.State
}

// channels returns every channel there ever was, in the order they came.
func (p *parts) channels(ctx context.Context) (list []knownChannel, err error) {
	seen := map[channel.ID]bool{}
	for r, err := range p.log.ReadAll(ctx, eventstore.AllQuery{Types: []string{channel.Connected{}.EventType()}}) {
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		id := channel.ID(strings.TrimPrefix(r.Stream, "channel-"))
		if r.IsMark() || seen[id] {
			continue
		}
		seen[id] = true
		err := p.commands.Channels.Look(ctx, id, func(s channel.State) error {
			list = append(list, knownChannel{id, s})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at channel %s: %w", id, err)
		}
	}
	return list, nil
}

// ChannelRemoveCmd is `channel remove`.
type ChannelRemoveCmd struct {
	StoreFlags
	ID     string `arg:"" help:"The channel's id; see channel list."`
	Reason string `default:"" placeholder:"TEXT" help:"Kept with the event."`
}

// Run implements the command.
func (c ChannelRemoveCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		var workspace string
		err := p.commands.Channels.Look(ctx, channel.ID(c.ID), func(s channel.State) error {
			workspace = s.Workspace
			return nil
		})
		if err != nil {
			return fmt.Errorf("look at channel: %w", err)
		}
		if _, err := p.commands.Channels.Disconnect(ctx, operator(workspace), channel.ID(c.ID), channel.Disconnect{Reason: c.Reason}); err != nil {
			return fmt.Errorf("disconnect channel: %w", err)
		}
		if err := p.accounts.DeleteChannelSecrets(ctx, c.ID); err != nil {
			return fmt.Errorf("forget channel's secrets: %w", err)
		}
		if err := p.accounts.DeleteCallSettings(ctx, c.ID); err != nil {
			return fmt.Errorf("forget channel's call settings: %w", err)
		}
		return nil
	})
}
