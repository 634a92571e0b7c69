// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a server that follows s, for one test: it answers reads and
// refuses writes until it is promoted. It begins as a copy of s, which is stopped
// while it is copied: not every distribution has pg_basebackup.
func (s *Server) Standby(t TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hookstream-pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	standby := &Server{dir: dir, bin: s.bin, settings: s.settings}
	t.Cleanup(standby.remove)
	s.Stop()
	// -p keeps the owner, who is the only one whom Postgres lets have it.
	if out, err := exec.Command("cp", "-Rp", s.data(), standby.data()).CombinedOutput(); err != nil { //nolint:gosec,noctx // a fixed program, and it ends by itself
		t.Fatal(fmt.Errorf("copy the primary: %w: %s", err, out))
	}
	s.Start(t)
	if c := credential(); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	standby.Follow(t, s)
	return standby
}

// Follow starts s, which must not run, as a standby of primary, whose data it has.
func (s *Server) Follow(t TB, primary *Server) {
	t.Helper()
	s.settings = append(slices.Clone(s.settings), "primary_conninfo=host="+primary.dir+" user=postgres") // the last one wins
	if err := os.WriteFile(filepath.Join(s.data(), "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	for deadline := time.Now().Add(startTimeout); !primary.streams(t); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the standby does not follow its primary")
		}
	}
}

// Promote makes a standby take writes, and returns when it does.
func (s *Server) Promote(t TB) {
	t.Helper()
	admin(t, s.URL(), "select pg_promote()")
}

// streams reports whether a standby follows: what is written from now on is sent
// to it before s has shut down.
func (s *Server) streams(t TB) (yes bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "select exists (select from pg_stat_replication where state = 'streaming')").Scan(&yes); err != nil {
		t.Fatal(err)
	}
	return yes
}

// Failover is a URL that names several servers, in the order in which they are
// tried.
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
