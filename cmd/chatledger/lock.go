package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// serverLock is held by the one server of a data folder, and by nobody else: the
// other subcommands work beside it. The kernel lets go of it when the process
// ends, however it ends.
type serverLock struct{ file *os.File }

// lockHolder is what the file of a serverLock says.
type lockHolder struct {
	PID     int       `json:"pid"`
	Address string    `json:"address,omitempty"` // "http://host:port", once it listens
	Since   time.Time `json:"since"`
}

const lockName = "server.lock"

// lockServer takes the lock of a data folder, which is made if it is missing, or
// says who holds it.
func lockServer(data string) (*serverLock, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(data, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := readLock(file)
		_ = file.Close()
		return nil, fmt.Errorf("a server is already running on %s (pid %d%s): stop it first, or use another --data",
			data, holder.PID, at(holder.Address))
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	l := &serverLock{file}
	if err := l.announce(""); err != nil {
		_ = l.release()
		return nil, err
	}
	return l, nil
}

func at(address string) string {
	if address == "" {
		return ""
	}
	return ", " + address
}

// announce writes who holds the lock and where it listens.
func (l *serverLock) announce(address string) error {
	b, err := json.Marshal(lockHolder{PID: os.Getpid(), Address: address, Since: now().Truncate(time.Second)})
	if err != nil {
		return fmt.Errorf("encode lock: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := l.file.WriteAt(append(b, '\n'), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// release lets go. The file stays: removing it would let two servers each lock
// a file of that name.
func (l *serverLock) release() error {
	err := l.file.Truncate(0)
	return errors.Join(err, l.file.Close())
}

// runningServer says who holds the lock of a data folder; ok is false if nobody does.
func runningServer(data string) (holder lockHolder, ok bool, err error) {
	file, err := os.Open(filepath.Join(data, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return holder, false, nil
	}
	if err != nil {
		return holder, false, fmt.Errorf("open lock: %w", err)
	}
	defer file.Close()
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		return holder, false, nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return holder, false, fmt.Errorf("look at lock: %w", err)
	}
	holder, err = readLock(file)
	return holder, true, err
}

func readLock(file *os.File) (h lockHolder, err error) {
	b := make([]byte, 1024)
	n, _ := file.ReadAt(b, 0)
	if err := json.Unmarshal(b[:n], &h); err != nil {
		return h, fmt.Errorf("read lock: %w", err)
	}
	return h, nil
}
