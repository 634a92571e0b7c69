// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folders of one server, all owned by the account that runs it. Once the
// supervisor runs, it removes sockets and scratch.
type folders struct {
	data    string // holds the cluster
	sockets string // holds the Unix socket; mode 0700
	scratch string // equals data if that is temporary, else empty
}

// prepare makes the folders. An empty dataDir asks for a temporary one.
func prepare(dataDir string, runner *account) (dirs folders, err error) {
	defer func() {
		if err != nil {
			dirs.remove()
		}
	}()
	// Not os.TempDir: a socket's path is cut at about 100 bytes, and $TMPDIR is
	// long on macOS.
	if dirs.sockets, err = os.MkdirTemp("/tmp", "hookstream-pg-"); err != nil {
		return dirs, err
	}
	if err = runner.own(dirs.sockets); err != nil {
		return dirs, err
	}
	if dataDir == "" {
		if dirs.scratch, err = os.MkdirTemp("", "hookstream-postgres-"); err != nil {
			return dirs, err
		}
		dirs.data = dirs.scratch
		return dirs, runner.own(dirs.data)
	}
	if dirs.data, err = filepath.Abs(dataDir); err != nil {
		return dirs, err
	}
	if err = os.MkdirAll(dirs.data, 0o755); err != nil { //nolint:gosec // the account must enter new parents; the cluster itself is 0700
		return dirs, err
	}
	if err = refuseForeign(dirs.data); err != nil {
		return dirs, err
	}
	return dirs, runner.own(dirs.data)
}

// refuseForeign fails if something else lives in the folder: as root we are
// about to give it away. Dot files are the file system's or the Finder's.
func refuseForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, "cluster") || strings.HasPrefix(name, ".") {
			continue
		}
		return fmt.Errorf("data folder %s holds %q, which is not Postgres's: give it a folder of its own", dir, name)
	}
	return nil
}

// remove undoes prepare; a data folder that is not temporary stays.
func (d folders) remove() {
	for _, dir := range []string{d.sockets, d.scratch} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// cluster is Postgres's own data directory (PGDATA).
func (d folders) cluster() string { return filepath.Join(d.data, "cluster") }
