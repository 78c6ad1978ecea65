package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chatledger/chatledger/internal/testenv"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chatledger": main})
}

// The scripts in testdata run the binary as its users do. They may use
// $POSTGRES, a database of their own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[testKey{}] = t
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"postgres":    setPostgres,
			"wait-server": waitServer,
			"http":        httpRequest,
			"save":        save,
		},
	})
}

// testKey is where a script finds its test.
type testKey struct{}

// setPostgres sets $POSTGRES to the address of a new, empty database.
func setPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: postgres")
	}
	t, ok := ts.Value(testKey{}).(testing.TB)
	if !ok {
		ts.Fatalf("no testing.TB")
	}
	ts.Setenv("POSTGRES", testenv.Postgres(t))
}

// waitServer waits until the server of a data folder is ready, and sets $URL.
func waitServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wait-server folder")
	}
	deadline := time.Now().Add(time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var holder lockHolder
		b, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), lockName))
		if err != nil || json.Unmarshal(b, &holder) != nil || holder.Address == "" {
			continue
		}
		resp, err := http.Get(holder.Address + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			ts.Setenv("URL", holder.Address)
			return
		}
	}
	ts.Fatalf("the server of %s is not ready", args[0])
}

// httpRequest makes a request with $TOKEN and prints the answer to stdout:
//
//	http STATUS METHOD PATH [BODY]
func httpRequest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http status method path [body]")
	}
	req, err := http.NewRequest(args[1], ts.Getenv("URL")+args[2], strings.NewReader(strings.Join(args[3:], " ")))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("TOKEN"))
	if len(args) > 3 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(append(bytes.TrimSpace(body), '\n'))
	ts.Check(err)
	if got := resp.Status[:3]; got != args[0] {
		ts.Fatalf("%s %s: %s, want %s", args[1], args[2], resp.Status, args[0])
	}
}

// save puts what the last command printed into a variable.
func save(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: save variable")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}
