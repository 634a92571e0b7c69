// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Standby starts a server that follows s, for one test: it answers reads and
// refuses writes until it is promoted.
func (s *Server) Standby(t TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hookstream-pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	standby := &Server{dir: dir, bin: s.bin, settings: s.settings}
	t.Cleanup(standby.remove)
	if c := credential(); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	// Beside the program itself, where s.bin has links.
	postgres, err := filepath.EvalSymlinks(filepath.Join(s.bin, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	backup := exec.Command(filepath.Join(filepath.Dir(postgres), "pg_basebackup"), "-h", s.dir, "-U", "postgres", "-D", standby.data(), "-R", "-c", "fast", "--no-sync") //nolint:gosec,noctx // a fixed program, and it ends by itself
	backup.Dir, backup.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential()}
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("pg_basebackup: %w: %s", err, out))
	}
	standby.Start(t)
	return standby
}

// Failover is a URL whose clients connect to the first of the servers that
// answers, whether it takes writes or not.
func Failover(servers ...*Server) string {
	url := "postgres://postgres@/postgres?host="
	for i, s := range servers {
		if i > 0 {
			url += ","
		}
		url += s.dir
	}
	return url
}
