// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// ErrNoBinaries means that initdb and postgres are not on this machine, or not
// where $PG_BIN says. Its message says what to install and what to do instead.
var ErrNoBinaries = errors.New("PostgreSQL's initdb and postgres were not found: " +
	"install them (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), " +
	"or set PG_BIN to their folder, " +
	"or use another server with --database-url, for example one in Docker: " +
	"docker run -d -p 5432:5432 -e POSTGRES_PASSWORD=hookstream postgres " +
	"and --database-url postgres://postgres:hookstream@localhost:5432/postgres")

// installations are where packages put the binaries without touching PATH.
var installations = []string{
	"/usr/lib/postgresql/*/bin",                      // Debian, Ubuntu
	"/usr/pgsql-*/bin",                               // PGDG on Red Hat
	"/opt/homebrew/opt/postgresql*/bin",              // Homebrew, Apple silicon
	"/usr/local/opt/postgresql*/bin",                 // Homebrew, Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin", // Homebrew, Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findBinaries returns the folder of initdb and postgres: $PG_BIN if it is set,
// else the one in PATH, else the newest of the usual installations.
func findBinaries(installations []string) (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		if !complete(dir) {
			return "", fmt.Errorf("PG_BIN is %s, which lacks initdb or postgres: %w", dir, ErrNoBinaries)
		}
		return filepath.Abs(dir)
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if dir := filepath.Dir(initdb); complete(dir) {
			return filepath.Abs(dir)
		}
		if target, err := filepath.EvalSymlinks(initdb); err == nil && complete(filepath.Dir(target)) {
			return filepath.Dir(target), nil
		}
	}
	var found []string
	for _, pattern := range installations {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("pattern %q: %w", pattern, err)
		}
		found = append(found, slices.DeleteFunc(matches, func(dir string) bool { return !complete(dir) })...)
	}
	if len(found) == 0 {
		return "", ErrNoBinaries
	}
	return slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) }), nil
}

// complete reports whether the folder has both binaries, executable.
func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

var majorVersion = regexp.MustCompile(`(\d+)[^/]*/bin$`)

// major is the version in an installation's path, 0 if there is none.
func major(dir string) int {
	match := majorVersion.FindStringSubmatch(dir)
	if match == nil {
		return 0
	}
	version, _ := strconv.Atoi(match[1])
	return version
}
