package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// binary builds what users run, once, and returns its path.
func (b *bench) binary(ctx context.Context) (string, error) {
	path := filepath.Join(b.dir, "chatledger")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/chatledger")
	build.Dir = filepath.Join(b.docs, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build chatledger: %w\n%s", err, out)
	}
	return path, nil
}

// product is an installation of chatledger, whose server runs in a process of
// its own while it is started.
type product struct {
	binary string
	where  []string // flags that say where its data is
	addr   string   // of the running server
	cmd    *exec.Cmd
	log    *os.File
}

// install returns an installation without data.
func (b *bench) install(ctx context.Context, name string, where ...string) (*product, error) {
	binary, err := b.binary(ctx)
	if err != nil {
		return nil, err
	}
	return &product{binary: binary, where: append([]string{"--data", filepath.Join(b.dir, name)}, where...)}, nil
}

// run runs a subcommand and returns what it printed.
func (p *product) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.binary, append(args, p.where...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("chatledger %s: %w\n%s", args[0], err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// start runs the server. What it logs goes to a file, as in an installation.
func (p *product) start(ctx context.Context) error {
	var err error
	if p.log, err = os.CreateTemp(filepath.Dir(p.binary), "server-*.log"); err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	p.cmd = exec.Command(p.binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, p.where...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start chatledger: %w", err)
	}
	for range 3000 {
		text, err := os.ReadFile(p.log.Name())
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if _, after, found := strings.Cut(string(text), "chatledger listens on http://"); found {
			p.addr, _, _ = strings.Cut(after, " ")
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("start chatledger: it does not say where it listens")
}

// stop ends the server as an operator does.
func (p *product) stop() error {
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = p.cmd.Wait()
	}
	p.cmd = nil
	return errors.Join(err, p.log.Close(), os.Remove(p.log.Name()))
}

// cpuSeconds is the time that the server has kept CPUs busy.
func (p *product) cpuSeconds() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, errors.Join(err1, err2) // in ticks of 10 ms
}

// usage is what a process holds in memory, in MB.
type usage struct {
	own    float64 // that nobody else has
	mapped float64 // pages of files, which the system keeps for all
	peak   float64 // of the sum of both
}

func memory(pid int) (u usage, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("read memory: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "RssAnon:":
			u.own = kilobytes / 1024
		case "RssFile:":
			u.mapped = kilobytes / 1024
		case "VmHWM:":
			u.peak = kilobytes / 1024
		}
	}
	return u, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// caller is one connection to a server. It asks for as little CPU as it can,
// since it shares the machine with what it measures. It is not safe for
// concurrent use.
type caller struct {
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	host   string
	header string // of each request
	body   bytes.Buffer
}

func dial(ctx context.Context, host, header string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 32<<10), out: bufio.NewWriter(conn), host: host, header: header}, nil
}

func bearer(token string) string { return "Authorization: Bearer " + token + "\r\n" }

func (c *caller) close() error { return c.conn.Close() }

// send writes a request.
func (c *caller) send(method, path, header string, body []byte) error {
	c.out.WriteString(method)
	c.out.WriteByte(' ')
	c.out.WriteString(path)
	c.out.WriteString(" HTTP/1.1\r\nHost: ")
	c.out.WriteString(c.host)
	c.out.WriteString("\r\n")
	c.out.WriteString(c.header)
	c.out.WriteString(header)
	if method != http.MethodGet {
		c.out.WriteString("Content-Type: application/json\r\nContent-Length: ")
		c.out.WriteString(strconv.Itoa(len(body)))
		c.out.WriteString("\r\n")
	}
	c.out.WriteString("\r\n")
	c.out.Write(body)
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// do sends a request and returns the Position and the body of its answer, which
// is a success. The body is valid until the next call.
func (c *caller) do(method, path, header string, body []byte) (position string, answer []byte, err error) {
	if err := c.send(method, path, header, body); err != nil {
		return "", nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return "", nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	c.body.Reset()
	_, err = c.body.ReadFrom(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return "", nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return "", nil, fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, c.body.Bytes())
	}
	return resp.Header.Get("Position"), c.body.Bytes(), nil
}

// graph stands for Meta's Graph API: it takes every message, and is cheap.
func graph() (url string, stop func() error, err error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	sent := make(chan int, 1)
	sent <- 0
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a client that goes away is no matter
		n := <-sent + 1
		sent <- n
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"messaging_product":"whatsapp","messages":[{"id":"wamid.SENT%d"}]}`, n)
	})}
	go func() { _ = server.Serve(l) }() // ends with Close
	return "http://" + l.Addr().String(), server.Close, nil
}
