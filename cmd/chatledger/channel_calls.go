package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/internal/accounts"
)

// ChannelCallsCmd is `channel calls`.
type ChannelCallsCmd struct {
	StoreFlags
	ID       string `arg:"" help:"The channel's id; see channel list."`
	Provider string `required:"" enum:"webhook,whatsapp,none" help:"Who makes calls: webhook for a click-to-call service, whatsapp for the WhatsApp Business Calling API, none for nobody."`
	URL      string `default:"" placeholder:"URL" help:"With webhook: where requests are posted to."`
	Secret   string `default:"" placeholder:"SECRET" help:"With webhook: signs in both directions; at least 24 characters. One is made and printed if none is given and none is known."`
}

const (
	leastSecret = 24 // characters
	madeSecret  = 32 // random bytes
)

// Run implements the command.
func (c ChannelCallsCmd) Run(ctx context.Context, t *terminal) error {
	provider := call.Provider(c.Provider)
	if c.Provider == "none" {
		provider = ""
	}
	if provider != call.Webhook && (c.URL != "" || c.Secret != "") {
		return errors.New("--url and --secret are for --provider webhook")
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("--url is not an http address")
	}
	if c.Secret != "" && len(c.Secret) < leastSecret {
		return fmt.Errorf("--secret has less than %d characters", leastSecret)
	}
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		var workspace string
		err := p.commands.Channels.Look(ctx, channel.ID(c.ID), func(s channel.State) error {
			workspace = s.Workspace
			return nil
		})
		if err != nil {
			return fmt.Errorf("look at channel: %w", err)
		}
		if provider == call.Webhook {
			made := ""
			known, err := p.accounts.CallSettings(ctx, c.ID)
			if err != nil && !errors.Is(err, accounts.ErrNoCallSettings) {
				return fmt.Errorf("look for settings: %w", err)
			}
			if known.URL == "" && c.URL == "" {
				return errors.New("--url is missing")
			}
			if known.Secret == "" && c.Secret == "" {
				raw := make([]byte, madeSecret)
				_, _ = rand.Read(raw) // never fails
				made = "whsec_" + base64.StdEncoding.EncodeToString(raw)
				c.Secret = made
			}
			// The settings first: a channel that is set up can be used.
			if err := p.accounts.PutCallSettings(ctx, c.ID, accounts.CallSettings{URL: c.URL, Secret: c.Secret}); err != nil {
				return fmt.Errorf("keep settings: %w", err)
			}
			if made != "" { // now, since nothing shows it again
				fmt.Fprintln(t.stdout, made)
			}
		}
		if _, err := p.commands.Channels.SetCalls(ctx, operator(workspace), channel.ID(c.ID), channel.SetCalls{Provider: provider}); err != nil {
			return fmt.Errorf("set calls: %w", err)
		}
		return nil
	})
}
