package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// floor is the least that a durable append can cost: records one after the other
// in a file whose blocks are there already, everything that waits in one write
// and one fdatasync. It checks nothing and cannot be read.
type floor struct {
	file    *os.File
	wake    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	buf     []byte
	waiting []chan error
	closed  bool
}

// floorSize is the length of the file. It is written round and round.
const floorSize = 256 << 20

func openFloor(ctx context.Context, b *bench) (appender, error) {
	file, err := os.Create(filepath.Join(b.dir, "floor-"+uuid.NewString()))
	if err != nil {
		return nil, fmt.Errorf("create file: %w", err)
	}
	// Written, not only reserved: a reserved block costs the journal at its first write.
	zeros := make([]byte, 1<<20)
	for range floorSize / len(zeros) {
		if _, err := file.Write(zeros); err != nil {
			return nil, errors.Join(fmt.Errorf("preallocate: %w", err), file.Close())
		}
	}
	if err := file.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("preallocate: %w", err), file.Close())
	}
	f := &floor{file: file, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go f.commit()
	return f, nil
}

func (f *floor) append(_ context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) error {
	done := make(chan error, 1)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return os.ErrClosed
	}
	for i, e := range events {
		f.put(stream, want+1+eventstore.Revision(i), e)
	}
	f.waiting = append(f.waiting, done)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return <-done
}

// put adds a record to buf, with its length and checksum.
func (f *floor) put(stream string, rev eventstore.Revision, e eventstore.Event) {
	start := len(f.buf)
	f.buf = append(f.buf, make([]byte, 8)...)
	f.buf = append(f.buf, e.ID[:]...)
	f.buf = binary.LittleEndian.AppendUint64(f.buf, uint64(rev))
	for _, part := range [][]byte{[]byte(stream), []byte(e.Type), e.Data, e.Meta} {
		f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(len(part)))
		f.buf = append(f.buf, part...)
	}
	record := f.buf[start:]
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	binary.LittleEndian.PutUint32(record[4:], crc32.ChecksumIEEE(record[8:]))
}

// commit writes what waits, until close.
func (f *floor) commit() {
	defer close(f.stopped)
	var offset int64
	var spare []byte
	var spareWaiting []chan error
	for range f.wake {
		f.mu.Lock()
		buf, waiting := f.buf, f.waiting
		f.buf, f.waiting = spare[:0], spareWaiting[:0]
		f.mu.Unlock()
		if offset+int64(len(buf)) > floorSize {
			offset = 0
		}
		_, err := f.file.WriteAt(buf, offset)
		if err == nil {
			err = syscall.Fdatasync(int(f.file.Fd()))
		}
		offset += int64(len(buf))
		for _, done := range waiting {
			done <- err
		}
		spare, spareWaiting = buf, waiting
	}
}

func (f *floor) close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	close(f.wake) // every append has returned
	<-f.stopped
	return errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}
