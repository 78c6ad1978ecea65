package viewscript

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
)

// Command is the argument with which a program is started as the process of scripts: it
// then has to call Serve, and nothing else.
const Command = "view-scripts"

// What the two processes tell each other, each a line of JSON. The host sends an order,
// answers each wish with a row, and gets a report in the end; signs of life come in
// between.
type (
	order struct {
		Definition customview.Definition `json:"definition"`
		Events     []Event               `json:"events"`
		Limit      time.Duration         `json:"limit"`
	}
	answer struct { // to a wish
		Data json.RawMessage `json:"data,omitempty"`
	}
	message struct { // one of these
		Wish   *Row    `json:"wish,omitempty"`
		Report *Report `json:"report,omitempty"`
		Alive  bool    `json:"alive,omitempty"`
	}
)

// Report is what became of a batch.
type Report struct {
	Applied int      `json:"applied"`           // events; those behind were not given to the script
	Rows    []Row    `json:"rows,omitempty"`    // as the applied events left them
	Logged  []string `json:"logged,omitempty"`  // by console.log
	Failure *Failure `json:"failure,omitempty"` // of the event behind the applied ones
}

// Bytes that the process of scripts may take.
const (
	softMemory = 192 << 20 // from here on the garbage is collected eagerly
	hardMemory = 512 << 20 // the process dies
	maxStack   = 64 << 20
)

// outOfMemory is the exit code of a process that has noticed itself.
const outOfMemory = 3

// signs is how often the process says that it goes on.
const signs = 200 * time.Millisecond

// Serve runs scripts for the process at the other end of in and out, until in ends. It
// gives up what the process does not need, and takes it that nobody calls it twice.
func Serve(in io.Reader, out io.Writer, now func() time.Time) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM) // it ends with whoever started it
	if err := confine(); err != nil {
		return fmt.Errorf("confine the process of scripts: %w", err)
	}
	c := &child{lines: make(chan []byte), out: bufio.NewWriter(out), now: now}
	go c.read(in)
	return c.serve()
}

type child struct {
	lines   chan []byte
	out     *bufio.Writer
	now     func() time.Time
	machine *machine
	of      string // the definition and limit of machine
}

// read hands on lines. At the end of in the process ends, whatever a script is at.
func (c *child) read(in io.Reader) {
	r := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			os.Exit(0) //nolint:forbidigo // a script may be in a loop that nothing else ends
		}
		c.lines <- line
	}
}

func (c *child) serve() error {
	life := time.NewTicker(signs)
	defer life.Stop()
	for line := range c.lines {
		var o order
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		report, err := c.obey(o, life.C)
		if err != nil {
			return err
		}
		if err := c.send(message{Report: &report}); err != nil {
			return err
		}
	}
	return nil
}

func (c *child) obey(o order, life <-chan time.Time) (rep Report, err error) {
	if err := c.prepare(o); err != nil {
		return Report{Failure: &Failure{Kind: Threw, Message: brief(err.Error())}}, nil
	}
	rows, order := map[rowKey]json.RawMessage{}, []rowKey(nil)
	get := func(table, key string) (json.RawMessage, error) {
		k := rowKey{table, key}
		if data, known := rows[k]; known {
			return data, nil
		}
		if err := c.send(message{Wish: &Row{Table: table, Key: key}}); err != nil {
			return nil, err
		}
		var a answer
		if err := json.Unmarshal(<-c.lines, &a); err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
		rows[k] = a.Data
		return a.Data, nil
	}
	changed := map[rowKey]bool{}
	for _, e := range o.Events {
		select {
		case <-life:
			if err := c.send(message{Alive: true}); err != nil {
				return rep, err
			}
		default:
		}
		touched, logged, failure, err := c.machine.run(e, get)
		if err != nil {
			return rep, err
		}
		if room := maxLogged - len(rep.Logged); room > 0 {
			rep.Logged = append(rep.Logged, logged[:min(room, len(logged))]...)
		}
		if failure != nil {
			rep.Failure = failure
			break
		}
		for _, r := range touched {
			k := rowKey{r.Table, r.Key}
			if !changed[k] {
				changed[k], order = true, append(order, k)
			}
			rows[k] = r.Data
		}
		rep.Applied++
	}
	for _, k := range order {
		rep.Rows = append(rep.Rows, Row{k.table, k.key, rows[k]})
	}
	return rep, nil
}

// prepare makes the machine for an order, unless it is the one of the order before.
func (c *child) prepare(o order) error {
	id, err := json.Marshal(struct {
		D customview.Definition
		L time.Duration
	}{o.Definition, o.Limit})
	if err != nil {
		return err
	}
	if c.machine != nil && c.of == string(id) {
		return nil
	}
	c.machine, err = newMachine(o.Definition, o.Limit, c.now)
	c.of = string(id)
	return err
}

func (c *child) send(m message) error {
	line, err := json.Marshal(m)
	if err == nil {
		_, err = c.out.Write(append(line, '\n'))
	}
	return errors.Join(err, c.out.Flush())
}
