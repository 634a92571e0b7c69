// SPDX-License-Identifier: Apache-2.0

// Package database opens the sink's Postgres and brings its schema up to date.
package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/stage/failure"
)

const connectTimeout = 10 * time.Second

// Open makes a pool of at most size connections. It does not connect yet. How
// statements run is chosen for each connection, unless the URL says so with
// default_query_exec_mode; of several servers it takes one that can be written to,
// unless the URL says otherwise with target_session_attrs.
func Open(ctx context.Context, url string, size int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, failure.NewFatal("HOOKSTREAM_DATABASE_URL: %w", err) // pgx hides the password
	}
	cfg.MaxConns = size
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "hookstream-sink"
	}
	if severalServers(&cfg.ConnConfig.Config) && cfg.ConnConfig.ValidateConnect == nil && !strings.Contains(url, "target_session_attrs") {
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if !strings.Contains(url, "default_query_exec_mode") {
		cfg.BeforeConnect = chooseMode
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres pool: %w", err)
	}
	return pool, nil
}

// severalServers reports whether a connection may go to another server than the
// first. After a switchover that one may be a standby, which would refuse each
// write and be tried first again. One server may be a fallback of its own, without
// TLS.
func severalServers(cfg *pgconn.Config) bool {
	return slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != cfg.Host || f.Port != cfg.Port
	})
}

// chooseMode has statements prepared, which spares Postgres half of its work on
// a small batch, unless a pooler is in between: in its transaction mode, the next
// transaction may run on a connection that has not prepared them. Only types are
// remembered then, on our side.
func chooseMode(ctx context.Context, cfg *pgx.ConnConfig) error {
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	direct, err := isDirect(ctx, cfg.Copy())
	if direct {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	}
	return err
}

// isDirect reports whether nothing is between us and Postgres. A pooler like
// PgBouncer, which shares processes of Postgres among its clients, tells each of a
// process of its own making, for them to cancel.
func isDirect(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	var pid uint32
	if err := conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid); err != nil {
		return false, fmt.Errorf("ask postgres for its process: %w", err)
	}
	return pid == conn.PgConn().PID(), nil
}
