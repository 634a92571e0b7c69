// SPDX-License-Identifier: Apache-2.0

// Package postgres runs a private PostgreSQL server from the machine's own
// binaries, for development and tests. The server listens on a Unix socket
// only, and never outlives the process that started it.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser       = "hookstream"
	defaultDatabase = "hookstream"
	port            = "5432" // names the socket file; no TCP port is opened

	startTimeout = 60 * time.Second // a start may have to recover from a crash
	stopTimeout  = 40 * time.Second // the supervisor's 30 s, and room for an immediate shutdown
	pollInterval = 20 * time.Millisecond
)

// Options of a server. The zero value is a temporary one.
type Options struct {
	// DataDir belongs to this server alone and survives it. It is created if
	// missing; if this process is root, it is given to the user that runs the
	// server, who must be able to enter its parents. Empty means a temporary
	// folder, removed when the server ends.
	DataDir string
	// NoSync turns fsync off: faster, but a crash of the machine may destroy
	// the data. For tests.
	NoSync bool
	// Revive starts a server that was killed again, on the same data and URL. Done
	// is then closed only by Stop, or where it cannot start any more.
	Revive bool
	// Settings are further parameters of the server, name=value, which win over
	// the ones that it has here.
	Settings []string
	// Logger gets the server's messages, at debug level. Statements and their
	// errors, which quote values, are not among them. Nil discards.
	Logger *slog.Logger
}

// Server is a running PostgreSQL server.
type Server struct {
	dirs  folders
	owner io.Closer     // closing it asks the supervisor to stop the server
	done  chan struct{} // closed when server and supervisor have ended
	err   error         // why the server ended, if not in order; read after done
}

// Start returns a server that accepts connections, after about a second if the
// data folder is new. It waits at most 60 s. ctx limits the start, not the
// server's life: that ends with Stop, or when this process dies, in any way.
//
// Start returns ErrNoBinaries where PostgreSQL is not installed. If the server
// does not start, the error has its last messages.
func Start(ctx context.Context, options Options) (*Server, error) {
	server, err := launch(options)
	if err != nil {
		return nil, fmt.Errorf("start private Postgres: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := server.awaitReady(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if stopErr := server.Stop(stopCtx); stopErr != nil {
			err = fmt.Errorf("%w: %w", err, stopErr) // has the server's messages
		}
		return nil, fmt.Errorf("start private Postgres: %w", err)
	}
	return server, nil
}

// launch starts the supervisor and returns without waiting for the server.
func launch(options Options) (*Server, error) {
	bin, err := findBinaries(installations)
	if err != nil {
		return nil, err
	}
	runner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dirs, err := prepare(options.DataDir, runner)
	if err != nil {
		return nil, err
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	log := &serverLog{logger: logger}
	cmd, owner, err := supervise(bin, dirs, runner, options, log)
	if err != nil {
		dirs.remove()
		return nil, err
	}
	server := &Server{dirs: dirs, owner: owner, done: make(chan struct{})}
	go server.wait(cmd, log)
	return server, nil
}

// wait ends with the last process that holds the server's standard error, that
// is after its last backend.
func (s *Server) wait(cmd *exec.Cmd, log *serverLog) {
	defer close(s.done)
	if err := cmd.Wait(); err != nil {
		s.err = s.explain(err, log.tail)
	}
	s.dirs.remove() // if the supervisor could not, or was killed
}

// explain says why the server ended, and what to do if that is known.
func (s *Server) explain(exit error, tail []string) error {
	said := strings.Join(tail, "; ")
	switch {
	case strings.Contains(said, `lock file "postmaster.pid" already exists`):
		return fmt.Errorf("data folder %s is in use by another Postgres (process %s): stop that one or choose another folder",
			s.dirs.data, s.postmaster())
	case strings.Contains(said, "database files are incompatible with server"):
		return fmt.Errorf("data folder %s was made by another major version of Postgres: set PG_BIN to the binaries of that version, or choose another folder (%s)",
			s.dirs.data, said)
	}
	return fmt.Errorf("private Postgres on data folder %s: %w: %s", s.dirs.data, exit, said)
}

// postmaster is the process id in the cluster's lock file.
func (s *Server) postmaster() string {
	lock, err := os.ReadFile(filepath.Join(s.dirs.cluster(), "postmaster.pid"))
	if err != nil {
		return "unknown"
	}
	pid, _, _ := strings.Cut(string(lock), "\n")
	return pid
}

// awaitReady polls until the default database can be used.
func (s *Server) awaitReady(ctx context.Context) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := s.ensureDefaultDatabase(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("the server ended while it started")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w; last answer: %w", context.Cause(ctx), err)
		case <-poll.C:
		}
	}
}

func (s *Server) ensureDefaultDatabase(ctx context.Context) error {
	return s.administer(ctx, func(conn *pgx.Conn) error {
		var exists bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", defaultDatabase).Scan(&exists)
		if err != nil || exists {
			return err
		}
		return createDatabase(ctx, conn, defaultDatabase)
	})
}

// CreateDatabase makes a database and returns its URL. Any name of up to 63
// bytes will do; it must be new.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	err := s.administer(ctx, func(conn *pgx.Conn) error { return createDatabase(ctx, conn, name) })
	if err != nil {
		return "", fmt.Errorf("create database %q: %w", name, err)
	}
	return s.databaseURL(name), nil
}

func createDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// administer calls do with a connection to the maintenance database.
func (s *Server) administer(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.databaseURL("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// URL of the default database, for pgx and libpq (psql "$URL", quoted: it has
// a question mark and an ampersand). No password: only this user, or root,
// may enter the socket's folder.
func (s *Server) URL() string { return s.databaseURL(defaultDatabase) }

func (s *Server) databaseURL(name string) string {
	// The port is named because $PGPORT would else choose the socket.
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Path:     "/" + name,
		RawQuery: "host=" + s.dirs.sockets + "&port=" + port,
	}).String()
}

// Done is closed when the server has ended, for whatever reason. Stop then
// says why.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop shuts the server down fast: open transactions roll back, a data folder
// is left clean, a temporary one is removed. After 30 s the shutdown turns
// immediate, and the next start recovers. Stop returns when the server has
// ended or ctx has, in which case the shutdown goes on; it may be called again.
// The error is why the server had ended, or why it did not end, in order.
func (s *Server) Stop(ctx context.Context) error {
	_ = s.owner.Close() // fails only if closed before
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("stop private Postgres on data folder %s, process %s: %w", s.dirs.data, s.postmaster(), context.Cause(ctx))
	}
}
