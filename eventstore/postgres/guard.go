package postgres

import (
	"net"
	"sync"
	"time"
)

// guard cuts the writer's connection if the server does not answer, and tells
// whether it was idle. It has one ticker; a context with a deadline for each
// transaction has a timer and a goroutine, and wakes threads that only look at
// the clock, which is dear when appends come one at a time.
type guard struct {
	mu    sync.Mutex
	conn  net.Conn // nil if there is none
	busy  bool     // a transaction is under way
	ticks int      // since busy has changed
	over  bool     // no more transactions
}

// tick is how long a connection may be unused before it is tried first.
const tick = time.Second

// protect sets the connection.
func (g *guard) protect(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn = conn
	g.closeIf(g.over)
}

// begin says that a transaction begins, and returns whether there has been none
// for a while.
func (g *guard) begin() (idle bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	idle = g.ticks > 1
	g.busy, g.ticks = true, 0
	return idle
}

func (g *guard) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy, g.ticks = false, 0
}

// watch ends with the writer. After Close has been called the transaction under
// way has closeGrace left: an append that was sent should be told how it went.
func (g *guard) watch(closed, stopped <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.mu.Lock()
			g.ticks++
			g.closeIf(g.busy && time.Duration(g.ticks)*tick > operationTimeout)
			g.mu.Unlock()
			continue
		case <-stopped:
			return
		case <-closed:
		}
		break
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.over = true
		g.closeIf(true)
	case <-stopped:
	}
}

// closeIf makes whoever reads from the connection or writes to it fail.
func (g *guard) closeIf(yes bool) {
	if yes && g.conn != nil {
		_ = g.conn.Close() // it is given up either way
	}
}
