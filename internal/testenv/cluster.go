package testenv

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrMissing is returned where PostgreSQL's programs are not on the machine.
var ErrMissing = errors.New("no PostgreSQL on this machine: install one with `apt-get install -y postgresql`, or set " + Variable)

// Cluster is a running PostgreSQL that this process uses.
type Cluster struct {
	URL string // of its database "postgres"

	dir   string
	users *os.File // held open: see supervise.sh
	child *os.Process
}

type settings struct {
	fsync bool
}

//go:embed supervise.sh
var supervise string

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 40 * time.Second
	pollInterval = 20 * time.Millisecond
)

// Start starts a cluster that no other process joins. The caller must Close it;
// if it dies before, the cluster goes away all the same.
func Start() (*Cluster, error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return start(settings{})
}

// Close stops the cluster and removes it, unless other processes use it.
func (c *Cluster) Close() error {
	if err := c.users.Close(); err != nil {
		return fmt.Errorf("leave PostgreSQL: %w", err)
	}
	if c.child == nil {
		return nil
	}
	for deadline := time.Now().Add(stopTimeout); ; time.Sleep(pollInterval) {
		switch _, err := os.Stat(c.dir); {
		case os.IsNotExist(err):
			_, err := c.child.Wait()
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("stop PostgreSQL: %s is still there", c.dir)
		}
	}
}

// Restart stops the server as a crash would, without finishing anything, and
// starts it again. It returns when the server has recovered.
func (c *Cluster) Restart() error {
	bin, err := Programs()
	if err != nil {
		return err
	}
	owner, err := serverUser()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "pg_ctl"), "-D", "data", "-w", "-t", "60", "-l", "log", "-m", "immediate", "restart")
	cmd.Dir = c.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: owner}
	// Not CombinedOutput: the server inherits the pipe and would keep it open.
	said, err := os.CreateTemp("", "pg_ctl")
	if err != nil {
		return fmt.Errorf("restart PostgreSQL: %w", err)
	}
	defer os.Remove(said.Name())
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(said.Name())
		return fmt.Errorf("restart PostgreSQL: %w: %s", err, text)
	}
	return nil
}

// join uses the cluster that another process of this user has started, or
// starts one for all.
func join(s settings) (*Cluster, error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	registry := s.registry()
	if dir, err := os.ReadFile(registry); err == nil && len(dir) > 0 {
		if users, err := enter(string(dir)); err == nil {
			return &Cluster{URL: clusterAddress(string(dir)), dir: string(dir), users: users}, nil
		}
	}
	sweep()
	c, err := start(s)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(registry, []byte(c.dir), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("register PostgreSQL: %w", err), c.Close())
	}
	return c, nil
}

// enter makes this process a user of the cluster in dir.
func enter(dir string) (*os.File, error) {
	// Without O_NONBLOCK, opening would wait for a supervisor that may be dead.
	fd, err := syscall.Open(filepath.Join(dir, "users"), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("join PostgreSQL: %w", err)
	}
	users := os.NewFile(uintptr(fd), "users")
	if _, err := os.Stat(filepath.Join(dir, "open")); err != nil {
		return nil, errors.Join(fmt.Errorf("join PostgreSQL: %w", err), users.Close())
	}
	return users, nil
}

// sweep removes the clusters whose supervisor was killed. Their servers, if any,
// end by themselves when they find their directory gone.
func sweep() {
	dirs, err := filepath.Glob(filepath.Join(tempDir(), prefix()+"-*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		fd, err := syscall.Open(filepath.Join(dir, "users"), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err == nil {
			syscall.Close(fd)
			continue
		}
		// What cannot be removed now does no harm, and is tried again.
		_ = os.RemoveAll(dir)
	}
}

// start is called with the lock held, so that sweep never meets a cluster that
// is half made.
func start(s settings) (_ *Cluster, err error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tempDir(), prefix()+"-")
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	fifo := filepath.Join(dir, "users")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		return nil, fmt.Errorf("make fifo: %w", err)
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	if owner != nil {
		for _, name := range []string{dir, fifo} {
			if err := os.Chown(name, int(owner.Uid), int(owner.Gid)); err != nil {
				return nil, fmt.Errorf("start PostgreSQL: %w", err)
			}
		}
	}
	// Reading too, so that the supervisor finds a user from the beginning.
	first, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open fifo: %w", err)
	}
	defer first.Close()

	initOptions, options := s.options(dir)
	cmd := exec.Command("/bin/sh", "-c", supervise, "supervise", dir, bin, initOptions, options)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: owner}
	said, err := startReading(cmd)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if said != "ready\n" {
		return nil, fmt.Errorf("start PostgreSQL from %s: %s", bin, said)
	}
	users, err := enter(dir)
	if err != nil {
		return nil, err
	}
	return &Cluster{URL: clusterAddress(dir), dir: dir, users: users, child: cmd.Process}, nil
}

// startReading starts cmd and returns the first line it prints if that is
// "ready", else everything.
func startReading(cmd *exec.Cmd) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return "", err
	}
	if err := r.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return "", err
	}
	var said strings.Builder
	for buf := make([]byte, 4096); said.String() != "ready\n"; {
		n, err := r.Read(buf)
		said.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return said.String(), cmd.Wait()
		}
		if err != nil {
			return "", err
		}
	}
	return said.String(), nil
}

func (s settings) options(dir string) (initdb, server string) {
	set := []string{
		"listen_addresses=''", "unix_socket_directories='" + dir + "'", "unix_socket_permissions=0700", "port=5432",
		"max_connections=300", "shared_buffers=128MB", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=2GB",
		"timezone=UTC", "log_min_messages=warning",
	}
	if !s.fsync {
		initdb = "--no-sync"
		set = append(set, "fsync=off", "full_page_writes=off")
	}
	return initdb, "-c " + strings.Join(set, " -c ")
}

func clusterAddress(dir string) string {
	u := url.URL{Scheme: "postgres", User: url.User("chatledger"), Path: "/postgres"}
	u.RawQuery = url.Values{"host": {dir}, "port": {"5432"}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// serverUser returns whom the server runs as: nil for the user of this process.
// PostgreSQL refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read uid of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read gid of %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// Programs returns the directory of the newest PostgreSQL's programs, or
// ErrMissing.
func Programs() (string, error) { return programs("/usr/lib/postgresql/*/bin") }

func programs(installed string) (string, error) {
	dirs, err := filepath.Glob(installed)
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL: %w", err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	if initdb, err := exec.LookPath("initdb"); err == nil {
		// A link from /usr/local/bin leads to the other programs.
		if target, err := filepath.EvalSymlinks(initdb); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	for _, dir := range dirs {
		if executable(dir, "initdb") && executable(dir, "postgres") && executable(dir, "pg_ctl") {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func executable(dir, name string) bool {
	_, err := exec.LookPath(filepath.Join(dir, name))
	return err == nil
}

// majorVersion returns 15 for /usr/lib/postgresql/15/bin.
func majorVersion(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

// prefix is how the names of all clusters of this user begin.
func prefix() string { return "chatledger-pg-" + strconv.Itoa(os.Geteuid()) }

// tempDir is where clusters are. A socket's path may have 103 bytes on every
// system; a long TMPDIR leaves no room for it.
func tempDir() string {
	if dir := os.TempDir(); len(dir) <= 50 {
		return dir
	}
	return "/tmp"
}

// registry returns the file that names the directory of the shared cluster. Who
// would start another kind of cluster has another file.
func (s settings) registry() string {
	bin, _ := Programs() // start reports the error
	kind := sha256.Sum256(fmt.Append(nil, supervise, bin, s))
	return filepath.Join(tempDir(), fmt.Sprintf("%s.%x", prefix(), kind[:4]))
}

// lock lets one process of this user at a time start, join or sweep.
func lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(tempDir(), prefix()+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock PostgreSQL: %w", err)
	}
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(pollInterval) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK), time.Now().After(deadline):
			return nil, errors.Join(fmt.Errorf("lock PostgreSQL: %w", err), f.Close())
		}
	}
}
