package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/ids"
)

// TokenCmd looks after the tokens of the API.
type TokenCmd struct {
	Create TokenCreateCmd `cmd:"" help:"Make a token and print it. It is shown this once."`
	List   TokenListCmd   `cmd:"" help:"List tokens, without their secrets."`
	Revoke TokenRevokeCmd `cmd:"" help:"End a token, at once."`
}

// TokenCreateCmd is `token create`.
type TokenCreateCmd struct {
	StoreFlags
	Role      string        `required:"" enum:"agent,supervisor,auditor,analyst,admin,bot" help:"What its bearer may do: agent, supervisor, auditor, analyst, admin or bot."`
	Workspace string        `default:"default" placeholder:"ID" help:"The workspace (default: ${default}), made if it is not there."`
	Name      string        `required:"" help:"Name or e-mail address of the member of staff, who is invited if not there."`
	Expires   time.Duration `default:"0" placeholder:"DURATION" help:"How long it is valid, such as 720h; 0 means until revoked (default: ${default})."`
}

// Run implements the command.
func (c TokenCreateCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, true, func(p *parts) error {
		made, err := p.createToken(ctx, newToken{workspace: c.Workspace, role: agent.Role(c.Role), name: c.Name, expires: c.Expires})
		if err != nil {
			return err
		}
		fmt.Fprintln(t.stdout, made.secret)
		return nil
	})
}

// newToken is what a token is made of.
type newToken struct {
	workspace string
	role      agent.Role
	name      string // of the member of staff
	expires   time.Duration
}

type madeToken struct{ secret, agent string }

// operator is who runs commands on a terminal of the machine.
func operator(workspace string) commands.Origin {
	return commands.Origin{Workspace: workspace, Actor: "operator", ActorKind: commands.ActorSystem}
}

// createToken makes a token, and before it the workspace and the member of
// staff, if they are not there.
func (p *parts) createToken(ctx context.Context, n newToken) (made madeToken, err error) {
	if err := p.ensureWorkspace(ctx, n.workspace); err != nil {
		return made, err
	}
	who := agent.Invite{Name: n.name, Role: n.role}
	if strings.Contains(n.name, "@") {
		who.Email = n.name
	}
	made.agent = ids.Agent(n.workspace, n.name)
	var had agent.Role
	err = p.commands.Agents.Look(ctx, n.workspace, agent.ID(made.agent), func(s agent.State) error {
		had = s.Role
		return nil
	})
	switch {
	case errors.Is(err, agent.ErrNotFound) || err == nil && had == n.role:
	case err != nil:
		return made, fmt.Errorf("look for %s: %w", n.name, err)
	default: // a person has one role; whoever needs another one, too, is another
		who.Name = fmt.Sprintf("%s (%s)", n.name, n.role)
		made.agent = ids.Agent(n.workspace, n.name+" "+string(n.role))
	}
	if _, err := p.commands.Agents.Invite(ctx, operator(n.workspace), agent.ID(made.agent), who); err != nil {
		return made, fmt.Errorf("invite %s: %w", who.Name, err)
	}
	token := accounts.NewToken{Workspace: n.workspace, Role: n.role, Agent: made.agent, Name: n.name}
	if n.expires != 0 {
		token.ExpiresAt = now().Add(n.expires)
	}
	made.secret, _, err = p.accounts.CreateToken(ctx, token)
	if err != nil {
		return made, fmt.Errorf("create token: %w", err)
	}
	return made, nil
}

// ensureWorkspace makes a workspace, if it is not there. Its id is its first name.
func (p *parts) ensureWorkspace(ctx context.Context, id string) error {
	if id == "" || ids.Slug(id) != id {
		return fmt.Errorf("workspace %q: want lower-case letters, digits and dashes, such as %q", id, ids.Slug(id+" shop"))
	}
	if _, err := p.commands.Workspaces.Create(ctx, operator(id), workspace.Create{Name: id}); err != nil {
		return fmt.Errorf("create workspace %s: %w", id, err)
	}
	return nil
}

// TokenListCmd is `token list`.
type TokenListCmd struct {
	StoreFlags
	Workspace string `default:"" placeholder:"ID" help:"Only of this workspace (default: all of them)."`
	IDs       bool   `name:"ids" help:"Print the ids alone."`
}

// Run implements the command.
func (c TokenListCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		list, err := p.accounts.ListTokens(ctx, c.Workspace)
		if err != nil {
			return fmt.Errorf("list tokens: %w", err)
		}
		if c.IDs {
			for _, token := range list {
				fmt.Fprintln(t.stdout, token.ID)
			}
			return nil
		}
		return table(t.stdout, "ID\tWORKSPACE\tNAME\tROLE\tCREATED\tSTATE", func(line func(string, ...any)) {
			for _, token := range list {
				line("%s\t%s\t%s\t%s\t%s\t%s", token.ID, token.Workspace, token.Name, token.Role, token.CreatedAt.UTC().Format(time.DateTime), tokenState(token))
			}
		})
	})
}

func tokenState(t accounts.Token) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked " + t.RevokedAt.UTC().Format(time.DateTime)
	case !t.Valid(now()):
		return "expired " + t.ExpiresAt.UTC().Format(time.DateTime)
	case !t.ExpiresAt.IsZero():
		return "valid until " + t.ExpiresAt.UTC().Format(time.DateTime)
	}
	return "valid"
}

// TokenRevokeCmd is `token revoke`.
type TokenRevokeCmd struct {
	StoreFlags
	ID string `arg:"" help:"The token's id; see token list."`
}

// Run implements the command.
func (c TokenRevokeCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		if err := p.accounts.RevokeToken(ctx, c.ID); err != nil {
			return fmt.Errorf("revoke token: %w", err)
		}
		return nil
	})
}
