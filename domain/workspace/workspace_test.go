package workspace_test

import (
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/workspace"
)

type past = []workspace.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, workspace.Events) }

func TestDecisions(t *testing.T) {
	acme := workspace.Created{Name: "Acme"}
	long := strings.Repeat("a", 201)
	domaintest.Run(t, workspace.Evolve, []domaintest.Case[workspace.State, workspace.Event]{
		{Name: "create", When: workspace.Create{Name: " Acme "}, Then: past{acme}},
		{Name: "create again", Given: past{acme}, When: workspace.Create{Name: "Acme"}},
		{Name: "create after a rename", Given: past{acme, workspace.Renamed{Name: "Apex", From: "Acme"}}, When: workspace.Create{Name: "Acme"}},
		{Name: "create without a name", When: workspace.Create{}, Err: workspace.ErrNameMissing},
		{Name: "create under a long name", When: workspace.Create{Name: long}, Err: workspace.ErrNameTooLong},
		{Name: "create NUL", When: workspace.Create{Name: "\x00"}, Err: workspace.ErrNameInvalid},
		{Name: "rename", Given: past{acme}, When: workspace.Rename{Name: "Apex "}, Then: past{workspace.Renamed{Name: "Apex", From: "Acme"}}},
		{Name: "rename to the same", Given: past{acme}, When: workspace.Rename{Name: "Acme"}},
		{Name: "rename to nothing", Given: past{acme}, When: workspace.Rename{Name: " "}, Err: workspace.ErrNameMissing},
		{Name: "rename an unknown one", When: workspace.Rename{Name: "Apex"}, Err: workspace.ErrNotFound},
	})
}
