// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a private Postgres that can be stopped and started again.
type Server struct {
	dir string // data in dir/data, socket in dir
	bin string
	cmd *exec.Cmd
	// settings are name=value, after our own.
	settings []string
	// leash is held while the server runs: it stops when we close it, or die.
	leash io.Closer
}

// script stops the server when its standard input ends. SIGINT is Postgres's
// fast shutdown.
const script = `"$0" "$@" </dev/null >/dev/null 2>&1 & pid=$!; read -r _; kill -INT "$pid"; wait "$pid"`

// New starts a server for one test, with settings (name=value) besides those
// that make tests fast.
func New(t TB, settings ...string) *Server {
	t.Helper()
	s := newServer(t, settings...)
	t.Cleanup(s.remove)
	return s
}

func newServer(t TB, settings ...string) *Server {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	// Not below $TMPDIR: a socket's path is cut at about 100 bytes.
	dir, err := os.MkdirTemp("/tmp", "hookstream-pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: dir, bin: bin, settings: settings}
	if c := credential(); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", s.data(), "-U", "postgres", "-E", "UTF8", "--no-locale", "--auth=trust", "--no-sync") //nolint:gosec,noctx // a fixed program, and it ends by itself
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential()}
	if out, err := initdb.CombinedOutput(); err != nil {
		s.remove()
		t.Fatal(fmt.Errorf("initdb: %w: %s", err, out))
	}
	s.Start(t)
	return s
}

// Start starts the server, which must not run, and waits until it answers.
func (s *Server) Start(t TB) {
	t.Helper()
	args := []string{"-c", script, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir}
	for _, setting := range append([]string{"listen_addresses=", "fsync=off", "max_connections=50"}, s.settings...) {
		args = append(args, "-c", setting) // the last of a name wins
	}
	s.cmd = exec.Command("sh", args...) //nolint:gosec,noctx // fixed programs; Stop ends them
	s.cmd.Dir, s.cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: credential(), Setpgid: true}
	leash, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.leash = leash
	if err := s.cmd.Start(); err != nil {
		t.Fatal(fmt.Errorf("start postgres: %w", err))
	}
	await(t, s.URL())
}

// await waits until a server answers.
func await(t TB, at string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, at)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		if ctx.Err() != nil {
			t.Fatal(fmt.Errorf("postgres does not answer: %w", err))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop shuts the server down: open transactions roll back.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the server's main process, and with all also those of its sessions, as
// a host does whose disk hangs. They keep their connections. Thaw lets them go on.
func (s *Server) Freeze(t TB, all bool) (thaw func()) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	main, _, _ := strings.Cut(string(file), "\n")
	signal := func(name string) {
		t.Helper()
		if out, err := exec.Command("kill", "-"+name, main).CombinedOutput(); err != nil { //nolint:gosec,noctx // a fixed program, and it ends by itself
			t.Fatal(fmt.Errorf("kill -%s: %w: %s", name, err, out))
		}
		if all { // pkill fails where there are none
			_ = exec.Command("pkill", "-"+name, "-P", main).Run() //nolint:gosec,noctx // as above
		}
	}
	signal("STOP")
	thawed := sync.OnceFunc(func() { signal("CONT") })
	t.Cleanup(thawed)
	return thawed
}

// URL of the server's maintenance database.
func (s *Server) URL() string { return "postgres://postgres@/postgres?host=" + s.dir }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) remove() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

// credential is the user to drop to as root, which Postgres refuses to run as.
func credential() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if errors.Join(err1, err2) == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

// binaries is the folder of initdb and postgres.
func binaries() (string, error) {
	dirs := []string{os.Getenv("PG_BIN")}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		slices.Reverse(found)
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no PostgreSQL: install it (Debian: apt-get install postgresql), or set PG_BIN or %s", variable)
}
