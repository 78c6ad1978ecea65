package postgres_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// cut says when a proxy ends a connection.
type cut int32

const (
	never         cut = iota
	beforeRequest     // the server never sees it
	afterRequest      // it has it, and may or may not be done
	afterAnswer       // it is done, and the client is not told
)

// proxy passes connections on to a server. Once armed, it cuts the next that
// appends.
type proxy struct {
	url  string // of the database, through the proxy
	next atomic.Int32
	cuts atomic.Int64
}

func (p *proxy) arm(c cut) { p.next.Store(int32(c)) }

func newProxy(t *testing.T, database string) *proxy {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("sslmode", "disable")
	q.Del("host")
	q.Del("port")
	u.Host, u.RawQuery = l.Addr().String(), q.Encode()
	p := &proxy{url: u.String()}

	network, address := serverAddress(config)
	var wg sync.WaitGroup
	open := connections{all: map[net.Conn]bool{}}
	t.Cleanup(func() {
		l.Close()
		open.close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				client.Close() // as a server does that is down
				continue
			}
			if !open.add(client, server) {
				return
			}
			wg.Go(func() {
				defer open.remove(client, server)
				p.pass(client, server)
			})
		}
	})
	return p
}

func serverAddress(c *pgx.ConnConfig) (network, address string) {
	if c.Host[0] == '/' {
		return "unix", c.Host + "/.s.PGSQL." + strconv.Itoa(int(c.Port))
	}
	return "tcp", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// pass returns when the connection has ended.
func (p *proxy) pass(client, server net.Conn) {
	var mute atomic.Bool // answers are not passed on any more
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 && mute.Load() {
				return
			}
			if _, e := client.Write(buf[:n]); err != nil || e != nil {
				return
			}
		}
	}()
	defer func() {
		client.Close()
		server.Close()
		<-answered
	}()
	appends := map[string]bool{} // names of prepared statements
	now, appending := never, false
	for kind := 0; ; kind = 1 { // the first message has no kind
		message, err := receive(client, kind)
		if err != nil {
			return
		}
		switch message[0] * byte(kind) {
		case 'P': // Parse: name, query
			words := bytes.SplitN(message[5:], []byte{0}, 3)
			appends[string(words[0])] = bytes.Contains(words[1], []byte("append_"))
		case 'B': // Bind: portal, name
			words := bytes.SplitN(message[5:], []byte{0}, 3)
			appending = appends[string(words[1])]
		case 'E': // Execute
			if appending && now == never {
				now = cut(p.next.Swap(int32(never)))
			}
			switch now {
			case beforeRequest:
				p.cuts.Add(1)
				return
			case afterAnswer:
				mute.Store(true)
			}
		}
		if _, err := server.Write(message); err != nil {
			return
		}
		if message[0]*byte(kind) == 'S' && now != never { // Sync: the server commits
			p.cuts.Add(1)
			if now == afterAnswer {
				<-answered
			}
			return
		}
	}
}

// receive returns the next message: its kind, a length that includes itself, and
// what is in it (PostgreSQL manual, "Message Formats").
func receive(r io.Reader, kind int) ([]byte, error) {
	head := make([]byte, kind+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[kind:])
	if length < 4 || length > 1<<30 {
		return nil, errors.New("no message of the protocol")
	}
	message := make([]byte, kind+int(length))
	copy(message, head)
	_, err := io.ReadFull(r, message[len(head):])
	return message, err
}

// connections can all be closed at once.
type connections struct {
	mu     sync.Mutex
	all    map[net.Conn]bool
	closed bool
}

func (c *connections) add(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		if c.closed {
			conn.Close()
			continue
		}
		c.all[conn] = true
	}
	return !c.closed
}

func (c *connections) remove(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(c.all, conn)
	}
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.all {
		conn.Close()
	}
}
