// SPDX-License-Identifier: Apache-2.0

// Package pgtest gives tests a real Postgres: the server that
// HOOKSTREAM_TEST_DATABASE_URL names, or a private one from the machine's own
// binaries. Only tests import it.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// TB is the part of testing.TB that is needed here.
type TB interface {
	Helper()
	Fatal(args ...any)
	Skip(args ...any)
	Cleanup(func())
}

const variable = "HOOKSTREAM_TEST_DATABASE_URL"

// startTimeout bounds starting a server; statements are fast.
const startTimeout = time.Minute

var shared struct {
	sync.Mutex
	server *Server
}

// Main runs a package's tests and then stops the private server, if one was
// started. Call it from TestMain.
func Main(run func() int) {
	code := run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.remove()
	}
	os.Exit(code)
}

// Database makes an empty database for one test and returns its URL.
func Database(t TB) string {
	t.Helper()
	base := os.Getenv(variable)
	if base == "" {
		base = sharedServer(t).URL()
	}
	name := "sink_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	admin(t, base, "create database "+name)
	t.Cleanup(func() { admin(t, base, "drop database if exists "+name+" with (force)") })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(variable, err)
	}
	u.Path = "/" + name
	return u.String()
}

func sharedServer(t TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newServer(t)
	}
	return shared.server
}

func admin(t TB, base, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		t.Fatal(fmt.Errorf("test database: %w", err))
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(fmt.Errorf("test database: %s: %w", sql, err))
	}
}
