// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const testTimeout = time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// publicDir is a temporary folder whose parents every user may enter, as
// t.TempDir is not: tests that run as root start the server as another user.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hookstream-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, options Options) *Server {
	t.Helper()
	options.NoSync = true
	server, err := Start(testContext(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) })
	return server
}

func stop(t *testing.T, server *Server) {
	t.Helper()
	if err := server.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(testContext(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query(t *testing.T, conn *pgx.Conn, sql string) (value string) {
	t.Helper()
	if err := conn.QueryRow(testContext(t), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func postmasterOf(t *testing.T, server *Server) int {
	t.Helper()
	pid, err := strconv.Atoi(server.postmaster())
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStartStop(t *testing.T) {
	// The user's own Postgres settings must not lead anyone astray.
	t.Setenv("PGPORT", "1")
	t.Setenv("PGHOST", "nowhere.invalid")
	t.Setenv("PGDATA", "/nowhere")
	began := time.Now()
	server := start(t, Options{})
	t.Logf("ready after %v", time.Since(began))
	conn := connect(t, server.URL())
	for sql, want := range map[string]string{
		"SELECT current_database()": defaultDatabase,
		"SHOW server_encoding":      "UTF8",
		"SELECT datcollate FROM pg_database WHERE datname = current_database()": "C",
		"SHOW timezone":         "UTC",
		"SHOW listen_addresses": "",
		"SHOW max_connections":  "100",
		"SHOW fsync":            "off",
	} {
		if got := query(t, conn, sql); got != want {
			t.Errorf("%s = %q, want %q", sql, got, want)
		}
	}
	if path := filepath.Join(server.dirs.sockets, ".s.PGSQL."+port); len(path) >= 100 || missing(path) {
		t.Errorf("socket %s is missing or its path is too long", path)
	}
	if info, err := os.Stat(server.dirs.sockets); err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != 0o700 {
		t.Errorf("socket folder's mode is %v, want 0700: it is the access control", info.Mode())
	}

	postmaster := postmasterOf(t, server)
	stop(t, server) // with a connection open: a fast shutdown does not wait for it
	stop(t, server) // again is no error
	select {
	case <-server.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if !gone(postmaster) || !missing(server.dirs.data) || !missing(server.dirs.sockets) {
		t.Errorf("after Stop: postmaster gone %t, data removed %t, sockets removed %t",
			gone(postmaster), missing(server.dirs.data), missing(server.dirs.sockets))
	}
}

func TestURLWorksInPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not in PATH")
	}
	t.Setenv("PGPORT", "1")
	server := start(t, Options{})
	got, err := exec.CommandContext(testContext(t), psql, server.URL(), "-XAtc", "SELECT current_database()").CombinedOutput()
	if err != nil || strings.TrimSpace(string(got)) != defaultDatabase {
		t.Errorf("psql %q: %s, %v", server.URL(), got, err)
	}
}

func TestFsyncIsOnByDefault(t *testing.T) {
	server, err := Start(testContext(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, server)
	conn := connect(t, server.URL())
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if got := query(t, conn, "SHOW "+setting); got != "on" {
			t.Errorf("%s = %s, want on", setting, got)
		}
	}
}

func TestSettingsWin(t *testing.T) {
	conn := connect(t, start(t, Options{Settings: []string{"track_commit_timestamp=on", "max_connections=17"}}).URL())
	for name, want := range map[string]string{"track_commit_timestamp": "on", "max_connections": "17"} {
		if got := query(t, conn, "SHOW "+name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

// A Ctrl-C in the terminal is for its process group.
func TestServerHasItsOwnProcessGroup(t *testing.T) {
	server := start(t, Options{})
	group, err := syscall.Getpgid(postmasterOf(t, server))
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("postmaster's process group is %d (%v), ours is %d; want another", group, err, syscall.Getpgrp())
	}
}

func TestRestartKeepsRows(t *testing.T) {
	const system = "SELECT system_identifier::text FROM pg_control_system()"
	data := filepath.Join(publicDir(t), "postgres")
	first := start(t, Options{DataDir: data})
	conn := connect(t, first.URL())
	execute(t, conn, "CREATE TABLE kept AS SELECT 'a row'::text AS value")
	identifier := query(t, conn, system)
	stop(t, first)

	second := start(t, Options{DataDir: data})
	conn = connect(t, second.URL())
	if got := query(t, conn, "SELECT value FROM kept"); got != "a row" {
		t.Errorf("row = %q", got)
	}
	if got := query(t, conn, system); got != identifier {
		t.Errorf("system identifier %s became %s: initdb ran again", identifier, got)
	}
}

func TestRestartAfterACrashKeepsRows(t *testing.T) {
	data := publicDir(t)
	first := start(t, Options{DataDir: data})
	conn := connect(t, first.URL())
	execute(t, conn, "CREATE TABLE kept AS SELECT 'a row'::text AS value")
	execute(t, conn, "CHECKPOINT") // NoSync commits are not durable by themselves
	if err := syscall.Kill(postmasterOf(t, first), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.Done():
	case <-testContext(t).Done():
		t.Fatal("Done is open after the postmaster was killed")
	}
	if err := first.Stop(testContext(t)); err == nil {
		t.Error("Stop() = nil, want why the server had ended")
	}
	if missing(filepath.Join(first.dirs.cluster(), "postmaster.pid")) {
		t.Fatal("no stale postmaster.pid: the test proves nothing")
	}
	second := start(t, Options{DataDir: data})
	if got := query(t, connect(t, second.URL()), "SELECT value FROM kept"); got != "a row" {
		t.Errorf("row = %q", got)
	}
}

// TestAKilledServerIsRevived on the same URL, and stops as any other.
func TestAKilledServerIsRevived(t *testing.T) {
	server := start(t, Options{Revive: true})
	conn := connect(t, server.URL())
	execute(t, conn, "CREATE TABLE kept AS SELECT 'a row'::text AS value")
	execute(t, conn, "CHECKPOINT") // NoSync commits are not durable by themselves
	killed := postmasterOf(t, server)
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	for !gone(killed) {
		if ctx.Err() != nil {
			t.Fatal("the killed postmaster is still there")
		}
		time.Sleep(pollInterval)
	}
	if err := server.awaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if got := query(t, connect(t, server.URL()), "SELECT value FROM kept"); got != "a row" {
		t.Errorf("row = %q", got)
	}
	revived := postmasterOf(t, server)
	stop(t, server)
	if !gone(revived) || !missing(server.dirs.data) {
		t.Errorf("after Stop: postmaster gone %t, data removed %t", gone(revived), missing(server.dirs.data))
	}
}

func TestStartWaitsForAServerThatIsStopping(t *testing.T) {
	data := publicDir(t)
	first := start(t, Options{DataDir: data})
	if err := first.owner.Close(); err != nil { // what the owner's death does
		t.Fatal(err)
	}
	start(t, Options{DataDir: data})
}

func TestInterruptedInitdbStartsOver(t *testing.T) {
	data := publicDir(t)
	if err := os.MkdirAll(filepath.Join(data, "cluster.new", "base"), 0o777); err != nil {
		t.Fatal(err)
	}
	runner, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"cluster.new", "cluster.new/base"} {
		if err := runner.own(filepath.Join(data, dir)); err != nil {
			t.Fatal(err)
		}
	}
	start(t, Options{DataDir: data})
}

func TestStartFailures(t *testing.T) {
	busy := publicDir(t)
	first := start(t, Options{DataDir: busy})

	foreign := publicDir(t)
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	old := publicDir(t)
	stop(t, start(t, Options{DataDir: old}))
	if err := os.WriteFile(filepath.Join(old, "cluster", "PG_VERSION"), []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		data string
		want []string
	}{
		"data folder in use":    {busy, []string{busy, "in use by another Postgres (process " + first.postmaster() + ")"}},
		"something else's":      {foreign, []string{foreign, "thesis.txt", "a folder of its own"}},
		"another major version": {old, []string{old, "another major version", "PG_BIN"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(testContext(t), Options{DataDir: test.data, NoSync: true})
			if err == nil {
				t.Fatal("Start() = nil")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	query(t, connect(t, first.URL()), "SELECT 'the first server is untouched'")
}

func TestUnreachableDataDir(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts the server as another user")
	}
	private := publicDir(t)
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), Options{DataDir: filepath.Join(private, "postgres"), NoSync: true})
	if err == nil || !strings.Contains(err.Error(), "cannot enter or write the data folder "+private) {
		t.Errorf("Start() = %v, want that the server's user cannot enter %s", err, private)
	}
}

func TestStartObeysContext(t *testing.T) {
	temporary := publicDir(t)
	if err := os.Chmod(temporary, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err := Start(ctx, Options{NoSync: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start() = %v, want context.Canceled", err)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCreateDatabase(t *testing.T) {
	server := start(t, Options{})
	first, err := server.CreateDatabase(testContext(t), "first")
	if err != nil {
		t.Fatal(err)
	}
	second, err := server.CreateDatabase(testContext(t), `a "second"/one?`)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, connect(t, first), "CREATE TABLE mine ()")
	execute(t, connect(t, second), "CREATE TABLE mine ()") // would clash in one database
	if got := query(t, connect(t, second), "SELECT current_database()"); got != `a "second"/one?` {
		t.Errorf("database = %q", got)
	}
	var exists *pgconn.PgError
	if _, err := server.CreateDatabase(testContext(t), "first"); !errors.As(err, &exists) || exists.Code != "42P04" {
		t.Errorf("CreateDatabase(again) = %v, want duplicate_database (42P04)", err)
	}
}

func TestPayloadsStayOutOfTheLog(t *testing.T) {
	var out bytes.Buffer
	server := start(t, Options{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	conn := connect(t, server.URL())
	for _, sql := range []string{"SELECT 'payload'::integer", "DO $$BEGIN RAISE WARNING 'payload'; END$$"} {
		if _, err := conn.Exec(testContext(t), sql); err != nil && !strings.Contains(err.Error(), "payload") {
			t.Fatal(err)
		}
	}
	stop(t, server)
	if got := out.String(); strings.Contains(got, "payload") || !strings.Contains(got, "ready to accept connections") {
		t.Errorf("log has payloads, or not the server's messages:\n%s", got)
	}
}
