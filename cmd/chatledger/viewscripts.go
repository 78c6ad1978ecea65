package main

import (
	"os"

	"github.com/chatledger/chatledger/internal/viewscript"
)

// ViewScriptsCmd is the process of scripts, which a server starts when there are custom
// views to build. It is of no use to people.
type ViewScriptsCmd struct{}

// Run runs scripts until standard input ends. Its name is viewscript.Command.
func (ViewScriptsCmd) Run(t *terminal) error { return viewscript.Serve(os.Stdin, t.stdout, now) }
