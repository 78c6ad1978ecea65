package main

import (
	"cmp"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
)

// CLI is everything that can be typed. Each flag has an environment variable,
// CHATLEDGER_ and its name.
type CLI struct {
	Serve       ServeCmd       `cmd:"" help:"Run the server: webhooks, API, views and side effects."`
	Demo        DemoCmd        `cmd:"" help:"Run the server with generated traffic; nothing to set up."`
	Token       TokenCmd       `cmd:"" help:"Make, list and revoke the tokens of the API."`
	Channel     ChannelCmd     `cmd:"" help:"Add, list and remove the accounts that customers write to."`
	Events      EventsCmd      `cmd:"" help:"Read and import the log, as NDJSON."`
	Log         LogCmd         `cmd:"" help:"Copy the log to another database."`
	Projections ProjectionsCmd `cmd:"" help:"Look after the views: how far they are, rebuild, verify."`
	Reactors    ReactorsCmd    `cmd:"" help:"Look after the side effects: how far they are, what is parked."`
	Audit       AuditCmd       `cmd:"" help:"Prove that nothing in the log was altered, and check such proofs."`
	Doctor      DoctorCmd      `cmd:"" help:"Check an installation and say what to do."`

	ViewScripts ViewScriptsCmd `cmd:"" hidden:"" help:"Run the scripts of custom views, for a server that starts it."`

	Logging Logging          `embed:"" group:"log"`
	Version kong.VersionFlag `help:"Print the version and exit." env:"-"`
}

// StoreFlags say where the data is. All subcommands take the same.
type StoreFlags struct {
	Data   string `default:"./data" type:"path" group:"store" placeholder:"FOLDER" help:"Folder of the SQLite files (default: ${default}). Made if missing."`
	Log    string `default:"sqlite" group:"store" placeholder:"WHERE" help:"Where the events are: sqlite, postgres://…, or esdb://… for KurrentDB (default: ${default})."`
	Views  string `default:"" group:"store" placeholder:"WHERE" help:"Where views, tokens and channel secrets are: sqlite, or postgres://… (default: the same as --log)."`
	Media  string `default:"" group:"store" placeholder:"WHERE" help:"Where the files of messages are: a folder, made if missing, or s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME with keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (default: media in --data)."`
	Schema string `default:"chatledger" group:"store" placeholder:"PREFIX" help:"Prefix of the names of PostgreSQL schemas (default: ${default})."`

	SQLiteCache uint `name:"sqlite-cache" default:"400" group:"memory" placeholder:"MB" help:"Pages of the SQLite files that are kept in memory, in MB; they come to take up to twice as much (default: ${default})."`
}

// sqliteCache returns megabytes for the log and for the views.
func (f StoreFlags) sqliteCache() (log, views int) {
	all := int(cmp.Or(f.SQLiteCache, 400)) // a subcommand without the flag, such as demo
	return all / 4, all - all/4
}

// views returns where the views are.
func (f StoreFlags) views() string {
	if f.Views == "" {
		return f.Log
	}
	return f.Views
}

// Logging says what is logged.
type Logging struct {
	LogFormat string     `enum:"text,json" default:"text" help:"How: text or json (default: ${default})."`
	LogLevel  slog.Level `default:"info" help:"From which level on: debug, info, warn or error (default: ${default})."`
}

func (l Logging) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.LogLevel}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// terminal is where a command runs.
type terminal struct {
	stdout, stderr io.Writer
	logger         *slog.Logger
}

// now is the clock of the whole program.
func now() time.Time { return time.Now().UTC() }

// version is that of the module, or of the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, revision := info.Main.Version, ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			revision = " (" + s.Value[:12] + ")"
		}
	}
	return v + revision
}
