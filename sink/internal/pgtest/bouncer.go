// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// bouncerConfig gives each transaction whichever of few connections is free, so
// that whatever a statement leaves behind on one is soon missed.
const bouncerConfig = `[databases]
* = %[1]s
[pgbouncer]
unix_socket_dir = %[2]s
listen_addr =
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = %[3]d
server_round_robin = 1
logfile = %[2]s/log
pidfile = %[2]s/pid
`

// Bouncer starts a PgBouncer in transaction mode before the server for one test,
// with connections to share, and returns its URL. Where none is installed, the test
// is skipped; in CI it fails, or nobody would miss it.
func (s *Server) Bouncer(t TB, connections int) string {
	t.Helper()
	bin, err := bouncerBinary()
	if err != nil {
		const missing = "no pgbouncer: install it (Debian: apt-get install pgbouncer)"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dir, err := os.MkdirTemp("/tmp", "hookstream-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ini")
	config := fmt.Sprintf(bouncerConfig, "host="+s.dir+" user=postgres", dir, connections)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil { //nolint:gosec // it runs as another user
		t.Fatal(err)
	}
	if c := credential(); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", script, bin, "-q", file) //nolint:gosec,noctx // fixed programs; the cleanup ends them
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential(), Setpgid: true}
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(fmt.Errorf("start pgbouncer: %w", err))
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	at := "postgres://postgres@/postgres?host=" + dir + "&port=6432"
	await(t, at)
	return at
}

// bouncerBinary is also looked for where Debian has it, outside of a user's path.
func bouncerBinary() (string, error) {
	if bin, err := exec.LookPath("pgbouncer"); err == nil {
		return bin, nil
	}
	return exec.LookPath("/usr/sbin/pgbouncer")
}
