// Command chatledger is the whole product in one binary: the server, a demo,
// and the tools of its operator.
//
// It wires parts together (wire.go) and talks to the terminal; it decides
// nothing that another way in would have to decide again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exitError ends a command with this code; what there is to say has been said.
type exitError int

func (c exitError) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// run is the program: the arguments without its name in, the exit code out. It
// ends soon after ctx does. Results go to stdout, all else to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	// kong ends the program after printing help; here that is a panic that
	// ends no further than this function.
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitError:
			code = int(r)
		default:
			panic(r)
		}
	}()

	var cli CLI
	parser, err := kong.New(&cli,
		kong.Name("chatledger"),
		kong.Description("A customer-chat inbox whose every change is an event. Try `chatledger demo` first."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 96}),
		kong.DefaultEnvars("CHATLEDGER"),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { panic(exitError(c)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ExplicitGroups([]kong.Group{
			{Key: "memory", Title: "What is kept in memory:"},
			{Key: "gateway", Title: "For clients of KurrentDB (EventStoreDB):"},
			{Key: "store", Title: "Where the data is:"},
			{Key: "log", Title: "What is logged, to standard error:"},
		}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "chatledger:", err)
		return 1
	}
	selected, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "chatledger:", err)
		if pe := (*kong.ParseError)(nil); errors.As(err, &pe) {
			fmt.Fprintf(stderr, "Run `%s --help` to see what there is.\n", pe.Context.Model.Name)
		}
		return 2
	}
	err = selected.Run(&terminal{stdout: stdout, stderr: stderr, logger: cli.Logging.logger(stderr)})
	var exit exitError
	switch {
	case errors.As(err, &exit):
		return int(exit)
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return 130 // interrupted, as shells say it
	case err != nil:
		fmt.Fprintln(stderr, "chatledger:", err)
		return 1
	}
	return 0
}
