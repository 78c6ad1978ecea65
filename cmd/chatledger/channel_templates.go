package main

import (
	"context"
	"fmt"

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
		seen, changed, refused := 0, 0, 0
		err := p.eachTemplate(ctx, c.ID, c.Business, func(workspace string, m template.Mirror) error {
			seen++
			m.At = now().UTC()
			res, err := p.commands.Templates.Mirror(ctx, operator(workspace), m)
			switch {
			case commands.IsRefusal(err):
				refused++
				fmt.Fprintf(t.stderr, "%s (%s) is left out: %v\n", m.Name, m.Language, err)
				return nil
			case err != nil:
				return fmt.Errorf("keep template %s: %w", m.Name, err)
			case res.Changed:
				changed++
			}
			return nil
		})
		if err != nil && seen == 0 {
			return err
		}
		fmt.Fprintf(t.stdout, "%d templates, %d of them new or changed, %d left out\n", seen, changed, refused)
		return err
	})
}
