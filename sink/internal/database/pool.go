// SPDX-License-Identifier: Apache-2.0

// Package database opens the sink's Postgres and brings its schema up to date.
package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/stage/failure"
)

const connectTimeout = 10 * time.Second

// Open makes a pool of at most size connections. It does not connect yet.
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
	// Types are remembered, statements are not prepared: nothing stays on the
	// server between transactions, so PgBouncer's transaction mode works.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres pool: %w", err)
	}
	return pool, nil
}
