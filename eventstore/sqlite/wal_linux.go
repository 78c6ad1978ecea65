package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	sqlite3 "zombiezen.com/go/sqlite"
)

// walFiles is a VFS (https://www.sqlite.org/vfs.html), the system's in all but
// the WAL: SQLite writes each page of it with two calls to the system, and this
// build of SQLite syncs with fsync, which has to wait for the file system's
// journal whenever the clock has ticked since the last one. Here what is to be
// written one after the other is one write, and fdatasync makes it durable.
//
// What is held back is written before anybody could miss it: before a sync or
// anything else that is done with the WAL, before a commit is shown to others,
// and before the file's write lock is let go. With synchronous=FULL, which it is
// made for, that is the sync of the commit, and so are its errors.
type walFiles struct {
	tls  *libc.TLS
	self uintptr  // vfsC
	wal  *walFile // of the connection, of which there is one at a time
}

// walFile is an open WAL.
type walFile struct {
	file *os.File
	held []byte
	at   int64 // where held begins
}

const maxHeld = 1 << 20 // bytes

// vfsC is what SQLite knows of walFiles. It is in C's memory, as is methodsC.
type vfsC struct {
	lib.Tsqlite3_vfs
	open  uintptr   // xOpen of the system's VFS
	files *walFiles // which walFiles itself keeps alive
}

// methodsC is what SQLite knows of an open file.
type methodsC struct {
	lib.Tsqlite3_io_methods
	base  uintptr // the system's methods
	files *walFiles
}

// newWALFiles registers the VFS. A connection must have been opened before, which
// sets SQLite up.
func newWALFiles() (*walFiles, error) {
	v := &walFiles{tls: libc.NewTLS()}
	base := lib.Xsqlite3_vfs_find(v.tls, 0)
	v.self = lib.Xsqlite3_malloc64(v.tls, lib.Tsqlite3_uint64(unsafe.Sizeof(vfsC{})))
	if base == 0 || v.self == 0 {
		v.close()
		return nil, errors.New("make VFS: no memory")
	}
	name, err := libc.CString(v.name())
	if err != nil {
		v.close()
		return nil, fmt.Errorf("make VFS: %w", err)
	}
	c := at[vfsC](v.self)
	*c = vfsC{Tsqlite3_vfs: *at[lib.Tsqlite3_vfs](base), files: v}
	c.FzName, c.FpNext, c.open, c.FxOpen = name, 0, c.FxOpen, address(openFile)
	lib.Xsqlite3_vfs_register(v.tls, v.self, 0)
	return v, nil
}

func (v *walFiles) name() string { return fmt.Sprintf("chatledger-%x", v.self) }

// close ends what newWALFiles began. There must be no connection any more.
func (v *walFiles) close() {
	if v == nil {
		return
	}
	if v.self != 0 {
		if name := at[vfsC](v.self).FzName; name != 0 {
			lib.Xsqlite3_vfs_unregister(v.tls, v.self)
			libc.Xfree(v.tls, name)
		}
		lib.Xsqlite3_free(v.tls, v.self)
	}
	v.tls.Close()
}

// connect opens a connection that writes. The one before it must be closed.
func (v *walFiles) connect(path string) (*sqlite3.Conn, error) {
	uri := "file:"
	if strings.HasPrefix(path, "/") {
		uri = "file://"
	}
	uri += (&url.URL{Path: path}).EscapedPath() + "?vfs=" + v.name()
	return sqlite3.OpenConn(uri, sqlite3.OpenReadWrite|sqlite3.OpenURI)
}

// flush writes what is held back. If that fails it is gone: SQLite rolls back.
func (w *walFile) flush() error {
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.file.WriteAt(w.held, w.at)
	w.held = w.held[:0]
	return err
}

func (w *walFile) write(b []byte, at int64) error {
	if at != w.at+int64(len(w.held)) || len(w.held)+len(b) > maxHeld {
		if err := w.flush(); err != nil {
			return err
		}
		w.at = at
	}
	w.held = append(w.held, b...)
	return nil
}

// result is what SQLite is told.
func result(err error, otherwise int32) int32 {
	switch {
	case err == nil:
		return lib.SQLITE_OK
	case errors.Is(err, syscall.ENOSPC):
		return lib.SQLITE_FULL
	}
	return otherwise
}

// at returns what is at an address in C's memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// address returns that of a function that is not a closure.
func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the reverse of address.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }

// What follows are methods of SQLite's structs sqlite3_vfs and sqlite3_io_methods.
type (
	openMethod  = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	plainMethod = func(tls *libc.TLS, file uintptr) int32
	readMethod  = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32
	sizeMethod  = func(tls *libc.TLS, file, size uintptr) int32
	truncMethod = func(tls *libc.TLS, file uintptr, size int64) int32
	lockMethod  = func(tls *libc.TLS, file uintptr, first, n, flags int32) int32
	voidMethod  = func(tls *libc.TLS, file uintptr)
)

func openFile(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	v := at[vfsC](vfs)
	f := at[lib.Tsqlite3_file](file)
	code := function[openMethod](v.open)(tls, vfs, name, file, flags, outFlags)
	wal, main := flags&lib.SQLITE_OPEN_WAL != 0, flags&lib.SQLITE_OPEN_MAIN_DB != 0
	if code != lib.SQLITE_OK || !wal && !main {
		return code
	}
	// SQLite calls xClose if there are methods, even if the opening failed.
	p := lib.Xsqlite3_malloc64(tls, lib.Tsqlite3_uint64(unsafe.Sizeof(methodsC{})))
	if p == 0 {
		return lib.SQLITE_NOMEM
	}
	m := at[methodsC](p)
	*m = methodsC{Tsqlite3_io_methods: *at[lib.Tsqlite3_io_methods](f.FpMethods), base: f.FpMethods, files: v.files}
	if wal {
		opened, err := os.OpenFile(libc.GoString(name), os.O_RDWR, 0)
		if err != nil { // it may be read-only, which SQLite finds out by itself
			lib.Xsqlite3_free(tls, p)
			return code
		}
		v.files.wal = &walFile{file: opened}
		m.FxClose, m.FxRead, m.FxWrite, m.FxTruncate = address(closeWAL), address(readWAL), address(writeWAL), address(truncateWAL)
		m.FxSync, m.FxFileSize = address(syncWAL), address(sizeOfWAL)
	} else {
		m.FxClose, m.FxShmLock, m.FxShmBarrier = address(closeMain), address(lockMain), address(barrierMain)
	}
	f.FpMethods = p
	return lib.SQLITE_OK
}

// ours returns the methods of a file, those of the system for it, and the WAL.
func ours(file uintptr) (m *methodsC, base *lib.Tsqlite3_io_methods, wal *walFile) {
	m = at[methodsC](at[lib.Tsqlite3_file](file).FpMethods)
	return m, at[lib.Tsqlite3_io_methods](m.base), m.files.wal
}

func writeWAL(_ *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	_, _, wal := ours(file)
	return result(wal.write(unsafe.Slice(at[byte](buf), n), offset), lib.SQLITE_IOERR_WRITE)
}

func syncWAL(_ *libc.TLS, file uintptr, _ int32) int32 {
	_, _, wal := ours(file)
	if err := wal.flush(); err != nil {
		return result(err, lib.SQLITE_IOERR_WRITE)
	}
	for {
		err := syscall.Fdatasync(int(wal.file.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return result(err, lib.SQLITE_IOERR_FSYNC)
		}
	}
}

func readWAL(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
	_, base, wal := ours(file)
	if err := wal.flush(); err != nil {
		return result(err, lib.SQLITE_IOERR_WRITE)
	}
	return function[readMethod](base.FxRead)(tls, file, buf, n, offset)
}

func truncateWAL(tls *libc.TLS, file uintptr, size int64) int32 {
	_, base, wal := ours(file)
	if err := wal.flush(); err != nil {
		return result(err, lib.SQLITE_IOERR_WRITE)
	}
	return function[truncMethod](base.FxTruncate)(tls, file, size)
}

func sizeOfWAL(tls *libc.TLS, file, size uintptr) int32 {
	_, base, wal := ours(file)
	if err := wal.flush(); err != nil {
		return result(err, lib.SQLITE_IOERR_WRITE)
	}
	return function[sizeMethod](base.FxFileSize)(tls, file, size)
}

// closeWAL drops what is held back: it would have been written by now if it were
// of use.
func closeWAL(tls *libc.TLS, file uintptr) int32 {
	m, _, wal := ours(file)
	_ = wal.file.Close() // nothing that matters has not been synced
	m.files.wal = nil
	return closeMain(tls, file)
}

func closeMain(tls *libc.TLS, file uintptr) int32 {
	p := at[lib.Tsqlite3_file](file).FpMethods
	_, base, _ := ours(file)
	code := function[plainMethod](base.FxClose)(tls, file)
	lib.Xsqlite3_free(tls, p)
	return code
}

// writeLock is the first of WAL's locks: https://www.sqlite.org/walformat.html
const writeLock = 0

// lockMain writes what a transaction that was rolled back has left, as it would
// be without us: after the lock is gone another process may write there.
func lockMain(tls *libc.TLS, file uintptr, first, n, flags int32) int32 {
	_, base, wal := ours(file)
	if first == writeLock && flags&lib.SQLITE_SHM_UNLOCK != 0 && wal != nil {
		_ = wal.flush() // nobody reads it
	}
	return function[lockMethod](base.FxShmLock)(tls, file, first, n, flags)
}

// barrierMain is called in the midst of showing a commit to others. With
// synchronous=FULL there is nothing to write any more.
func barrierMain(tls *libc.TLS, file uintptr) {
	_, base, wal := ours(file)
	if wal != nil {
		_ = wal.flush()
	}
	function[voidMethod](base.FxShmBarrier)(tls, file)
}
