// SPDX-License-Identifier: Apache-2.0

package database

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/pgtest"
)

func modeAt(t *testing.T, url string) pgx.QueryExecMode {
	t.Helper()
	conn, err := open(t, url).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	return conn.Conn().Config().DefaultQueryExecMode
}

func TestStatementsArePreparedUnlessAPoolerIsBetween(t *testing.T) {
	server := pgtest.New(t)
	if got := modeAt(t, server.URL()); got != pgx.QueryExecModeCacheStatement {
		t.Errorf("the mode is %v without a pooler", got)
	}
	if got := modeAt(t, server.URL()+"&default_query_exec_mode=exec"); got != pgx.QueryExecModeExec {
		t.Errorf("the mode is %v where the URL says exec", got)
	}
	if got := modeAt(t, server.Bouncer(t, 1)); got != pgx.QueryExecModeCacheDescribe {
		t.Errorf("the mode is %v with one", got)
	}
}

func TestConnectionThatFailsSaysWhy(t *testing.T) {
	pool := open(t, "postgres://postgres@127.0.0.1:1/none?connect_timeout=5")
	if err := pool.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}
