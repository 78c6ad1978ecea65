package sqldb

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	busyTimeout   = 10 * time.Second
	maxStatements = 256 // prepared statements kept by a connection
)

// liteDB is one connection that writes and a few that read, each opened when it
// is first needed.
type liteDB struct {
	path    string
	opts    options
	writer  *litePool // of one
	turns   turns     // of those who write
	wal     walMover
	readers *litePool
	closed  chan struct{}
	closing sync.Once
}

// OpenSQLite opens the database file at path, which is made if it is missing,
// readable by its owner alone. Several processes may have it open.
func OpenSQLite(ctx context.Context, path string, opts ...Option) (DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &liteDB{path: path, opts: settings(opts), writer: newLitePool(1), closed: make(chan struct{})}
	db.readers = newLitePool(db.opts.readers)
	// The first transaction makes the file a database and reports what is wrong.
	if err := db.Write(ctx, func(Tx) error { return nil }); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return db, nil
}

func (*liteDB) Engine() Engine { return SQLite }

func (db *liteDB) Read(ctx context.Context, fn func(Tx) error) (err error) {
	c, err := db.lend(ctx, db.readers)
	if err != nil {
		return err
	}
	defer func() { db.readers.put(c) }()
	err = c.transact(ctx, fn)
	if !c.conn.AutocommitEnabled() {
		err = errors.Join(err, c.close())
		c = nil
	}
	return err
}

func (db *liteDB) Close() (err error) {
	db.closing.Do(func() {
		close(db.closed)
		err = errors.Join(db.readers.close(), db.writer.close(), db.wal.close())
	})
	return err
}

// litePool lends connections. The one that was used last is lent first: what it
// has in its cache is the most likely to be of use.
type litePool struct {
	places chan struct{} // holds one token for each that may be lent
	mu     sync.Mutex
	idle   []*liteConn
}

func newLitePool(n int) *litePool {
	p := &litePool{places: make(chan struct{}, n)}
	for range n {
		p.places <- struct{}{}
	}
	return p
}

// take returns an idle connection, or nil if one is to be opened. The caller
// holds a place.
func (p *litePool) take() *liteConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c
}

// put takes a connection back, nil if it is not to be used again, with its place.
func (p *litePool) put(c *liteConn) {
	if c != nil {
		p.mu.Lock()
		p.idle = append(p.idle, c)
		p.mu.Unlock()
	}
	p.places <- struct{}{}
}

// close waits for all connections and closes them. None is lent after it.
func (p *litePool) close() (err error) {
	for range cap(p.places) {
		<-p.places
	}
	for c := p.take(); c != nil; c = p.take() {
		err = errors.Join(err, c.close())
	}
	return err
}

// lend takes a connection from a pool, and opens it if need be.
func (db *liteDB) lend(ctx context.Context, pool *litePool) (*liteConn, error) {
	select {
	case <-pool.places:
	case <-db.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-db.closed:
		pool.put(nil)
		return nil, ErrClosed
	default:
	}
	c := pool.take()
	if c != nil {
		return c, nil
	}
	c, err := openLite(ctx, db.path, db.opts, pool == db.writer)
	if err != nil {
		pool.put(nil)
	}
	return c, err
}

// liteConn is a connection with the statements that it used last.
type liteConn struct {
	conn    *sqlite.Conn
	stmts   map[string]*list.Element // of *liteStmt, by the text that callers give
	recent  *list.List               // most recently used first
	updates map[updateOf]string
	runs    int           // statements that were run
	ownWAL  bool          // it moves the WAL into the file by itself
	busy    bool          // a query is under way
	stop    chan struct{} // closed to interrupt what the connection does
}

type liteStmt struct {
	sql  string
	stmt *sqlite.Stmt
}

func openLite(ctx context.Context, path string, o options, writer bool) (*liteConn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	c := &liteConn{conn: conn, stmts: map[string]*list.Element{}, recent: list.New(), stop: make(chan struct{})}
	conn.SetInterrupt(c.stop)
	pragmas := []string{
		"page_size = 8192", // of a new file; rows of a few kB stay in one page
		"journal_mode = WAL",
		"synchronous = NORMAL",
		fmt.Sprintf("cache_size = -%d", 800*o.cache/o.readers), // of a reader: what lies beyond 2 GB, and little of the WAL
		"foreign_keys = ON",
	}
	if writer {
		// Who moves the WAL into the file: sqlitewal.go.
		// temp_store stays at files: in memory, CREATE INDEX would sort there, without a bound.
		pragmas = append(pragmas, fmt.Sprintf("cache_size = -%d", 200*o.cache), "wal_autocheckpoint = 0")
	} else {
		// 2 GB, SQLite's limit: pages come from the system's cache, without a copy.
		pragmas = append(pragmas, "temp_store = MEMORY", "query_only = ON", "mmap_size = 2147418112")
	}
	if o.durable {
		pragmas = append(pragmas, "synchronous = FULL")
	}
	err = c.within(ctx, busyTimeout, func() error {
		for _, p := range pragmas {
			if _, err := c.exec("PRAGMA "+p, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), c.close())
	}
	return c, nil
}

func (c *liteConn) close() error {
	if c == nil {
		return nil
	}
	for e := c.recent.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*liteStmt).stmt.Finalize() // repeats the error of the last step
	}
	if err := c.conn.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// arm has what the connection does interrupted once ctx ends, until disarm is
// called, which is to be done once. (To set another channel for each transaction
// would cost two switches to another goroutine each time.)
func (c *liteConn) arm(ctx context.Context) (disarm func()) {
	stop := c.stop
	unused := context.AfterFunc(ctx, func() { close(stop) })
	return func() {
		if unused() {
			return
		}
		<-stop
		c.stop = make(chan struct{})
		c.conn.SetInterrupt(c.stop)
	}
}

// within runs fn, interrupted when ctx ends or d has passed.
func (c *liteConn) within(ctx context.Context, d time.Duration, fn func() error) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	disarm := c.arm(limited)
	err := fn()
	disarm()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() != nil:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// transact runs fn in a transaction that reads.
func (c *liteConn) transact(ctx context.Context, fn func(Tx) error) (err error) {
	if _, err := c.exec("BEGIN", nil); err != nil { // it waits for nobody
		return fmt.Errorf("begin: %w", err)
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, c.rollback())
		}
	}()
	if err := c.call(ctx, fn); err != nil {
		return err
	}
	if _, err := c.exec("COMMIT", nil); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	done = true
	return nil
}

// call runs fn, interrupted when ctx ends.
func (c *liteConn) call(ctx context.Context, fn func(Tx) error) error {
	disarm := c.arm(ctx)
	defer func() {
		disarm()
		c.busy = false
	}()
	if err := fn(liteTx{c}); err != nil {
		return becauseOf(ctx, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// becauseOf gives the reason why something was interrupted, unless err has it.
func becauseOf(ctx context.Context, err error) error {
	if sqlite.ErrCode(err) != sqlite.ResultInterrupt || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

func (c *liteConn) rollback() error {
	if c.conn.AutocommitEnabled() { // SQLite has rolled back by itself
		return nil
	}
	if _, err := c.exec("ROLLBACK", nil); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// prepare returns the statement for sql, reset.
func (c *liteConn) prepare(sql string) (*sqlite.Stmt, error) {
	if e, ok := c.stmts[sql]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*liteStmt).stmt, nil
	}
	stmt, rest, err := c.conn.PrepareTransient(numbered(sql))
	if err != nil {
		return nil, err
	}
	if rest > 0 || stmt == nil {
		return nil, errors.Join(fmt.Errorf("not one statement: %.80q", sql), stmt.Finalize())
	}
	c.stmts[sql] = c.recent.PushFront(&liteStmt{sql, stmt})
	if c.recent.Len() > maxStatements {
		last := c.recent.Remove(c.recent.Back()).(*liteStmt)
		delete(c.stmts, last.sql)
		_ = last.stmt.Finalize()
	}
	return stmt, nil
}

func (c *liteConn) exec(sql string, args []any) (int64, error) {
	stmt, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	if err := bindAll(stmt, args); err != nil {
		return 0, err
	}
	c.runs++
	for more := true; more; {
		if more, err = stmt.Step(); err != nil {
			return 0, err
		}
	}
	if err := stmt.Reset(); err != nil {
		return 0, err
	}
	return int64(c.conn.Changes()), nil
}

func (c *liteConn) query(sql string, args []any, scan func(Row) error) error {
	stmt, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := bindAll(stmt, args); err != nil {
		return err
	}
	return c.rows(stmt, scan)
}

// rows steps through stmt, whose arguments are bound, and resets it.
func (c *liteConn) rows(stmt *sqlite.Stmt, scan func(Row) error) (err error) {
	c.busy = true
	c.runs++
	defer func() {
		c.busy = false
		if e := stmt.Reset(); err == nil {
			err = e
		}
	}()
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		if err := scan(Row{lite: stmt}); err != nil {
			return err
		}
	}
}

type liteTx struct{ c *liteConn }

var errNested = errors.New("a query is still under way in this transaction")

func (tx liteTx) engine() Engine { return SQLite }

func (tx liteTx) Query(ctx context.Context, sql string, args []any, scan func(Row) error) error {
	if tx.c.busy {
		return fmt.Errorf("query: %w", errNested)
	}
	if err := tx.c.query(sql, args, scan); err != nil {
		return tx.wrap(ctx, "query", sql, err)
	}
	return nil
}

func (tx liteTx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if tx.c.busy {
		return 0, fmt.Errorf("exec: %w", errNested)
	}
	n, err := tx.c.exec(sql, args)
	if err != nil {
		return 0, tx.wrap(ctx, "exec", sql, err)
	}
	return n, nil
}

// wrap prefers the reason why a statement was interrupted.
func (tx liteTx) wrap(ctx context.Context, verb, sql string, err error) error {
	if sqlite.ErrCode(err) == sqlite.ResultInterrupt && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s %s: %w", verb, brief(sql), err)
}

// brief returns the beginning of a statement, on one line, for messages.
func brief(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if len(sql) > 60 {
		sql = sql[:60] + "…"
	}
	return sql
}

func bindAll(stmt *sqlite.Stmt, args []any) error {
	if n := stmt.BindParamCount(); n != len(args) {
		return fmt.Errorf("%d arguments for %d placeholders", len(args), n)
	}
	for i, a := range args {
		switch v := a.(type) {
		case string:
			stmt.BindText(i+1, v)
		case int64:
			stmt.BindInt64(i+1, v)
		case int:
			stmt.BindInt64(i+1, int64(v))
		case bool:
			stmt.BindBool(i+1, v)
		case float64:
			stmt.BindFloat(i+1, v)
		case []byte:
			stmt.BindBytes(i+1, v)
		case nil:
			stmt.BindNull(i + 1)
		default:
			if err := bindOther(stmt, i+1, reflect.ValueOf(a)); err != nil {
				return err
			}
		}
	}
	return nil
}

func bindOther(stmt *sqlite.Stmt, i int, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		stmt.BindText(i, v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		stmt.BindInt64(i, v.Int())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		stmt.BindInt64(i, int64(v.Uint())) // cannot overflow
	case reflect.Bool:
		stmt.BindBool(i, v.Bool())
	case reflect.Float32, reflect.Float64:
		stmt.BindFloat(i, v.Float())
	default:
		return fmt.Errorf("argument %d is a %s", i, v.Type())
	}
	return nil
}

// numbered turns $1 into ?1 outside of strings, quoted names and comments:
// SQLite takes $1 for a name and would number it by its first occurrence.
func numbered(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case c == '\'' || c == '"':
			end := strings.IndexByte(sql[i+1:], c)
			if end < 0 {
				b.WriteString(sql[i:])
				return b.String()
			}
			b.WriteString(sql[i : i+end+2])
			i += end + 2
		case strings.HasPrefix(sql[i:], "--"):
			end := strings.IndexByte(sql[i:], '\n')
			if end < 0 {
				return b.String()
			}
			i += end
		case c == '$' && i+1 < len(sql) && '1' <= sql[i+1] && sql[i+1] <= '9':
			b.WriteByte('?')
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}
