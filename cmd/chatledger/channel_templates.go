package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/template"
)

// ChannelTemplatesCmd is `channel templates`.
type ChannelTemplatesCmd struct {
	StoreFlags
	ID       string `arg:"" help:"The channel's id; see channel list."`
	Business string `required:"" placeholder:"ID" help:"The WhatsApp Business Account that has the templates; the webhooks call it the entry's id."`
}

// Run implements the command.
func (c ChannelTemplatesCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		account, err := p.whatsappAccounts()(ctx, c.ID)
		if errors.Is(err, whatsapp.ErrUnknownChannel) {
			return fmt.Errorf("there is no WhatsApp channel %q that is connected; channel list has those that are", c.ID)
		} else if err != nil {
			return err
		}
		client := whatsapp.NewClient(nil, now)
		defer client.Close()
		seen, changed, refused := 0, 0, 0
		err = client.Templates(ctx, account, c.Business, func(listed whatsapp.ListedTemplate) error {
			seen++
			res, err := p.commands.Templates.Mirror(ctx, operator(account.Workspace), template.Mirror{
				Report: template.Report{
					Channel: c.ID, Name: listed.Name, Language: listed.Language, Status: listed.Status, Reason: listed.Reason, ProviderID: listed.ID, At: now().UTC(),
				},
				Category: listed.Category, Components: listed.Components, By: "operator",
			})
			switch {
			case commands.IsRefusal(err):
				refused++
				fmt.Fprintf(t.stderr, "%s (%s) is left out: %v\n", listed.Name, listed.Language, err)
				return nil
			case err != nil:
				return fmt.Errorf("keep template %s: %w", listed.Name, err)
			case res.Changed:
				changed++
			}
			return nil
		})
		fmt.Fprintf(t.stdout, "%d templates, %d of them new or changed, %d left out\n", seen, changed, refused)
		return err
	})
}
