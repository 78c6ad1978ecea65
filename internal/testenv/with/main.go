// Command with runs another command with a throwaway PostgreSQL, whose URL is in
// CHATLEDGER_TEST_POSTGRES, and stops and removes the server afterwards:
//
//	go run ./internal/testenv/with go test ./...
//
// It must not decide anything about the command, whose exit code it returns.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/chatledger/chatledger/internal/testenv"
)

func main() {
	install := flag.Bool("install", false, "as root on Debian, install PostgreSQL and Node.js if they are missing")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: with [-install] command [argument...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	code, err := run(*install, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
	}
	os.Exit(code)
}

func run(install bool, args []string) (code int, err error) {
	// Caught from here on, so that the cluster is removed before the process ends.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	if os.Getenv(testenv.Variable) == "" {
		if install {
			if err := installMissing(); err != nil {
				return 1, err
			}
		}
		cluster, err := testenv.Start()
		if err != nil {
			return 1, err
		}
		defer func() {
			if e := cluster.Close(); e != nil && err == nil {
				code, err = 1, e
			}
		}()
		cmd.Env = append(cmd.Env, testenv.Variable+"="+cluster.URL)
	}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start command: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			// The terminal sends SIGINT to the command as well.
			if sig != syscall.SIGINT {
				_ = cmd.Process.Signal(sig)
			}
		case err := <-done:
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return max(exit.ExitCode(), 1), nil
			}
			return 0, err
		}
	}
}

// installMissing installs what tests need and the machine has not.
func installMissing() error {
	var missing []string
	_, lack := testenv.Programs()
	if errors.Is(lack, testenv.ErrMissing) {
		missing = append(missing, "postgresql")
	} else if lack != nil {
		return lack
	}
	if err := testenv.HasNode(); err != nil {
		missing, lack = append(missing, "nodejs", "npm"), errors.Join(lack, err)
	}
	if missing == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return lack
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, missing...)} {
		fmt.Fprintln(os.Stderr, "with: running apt-get", args)
		cmd := exec.Command("apt-get", args...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("run apt-get: %w", err)
		}
	}
	return nil
}
