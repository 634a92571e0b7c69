// SPDX-License-Identifier: Apache-2.0

// Package postgres reads the URL of a database, and says what is wrong with it or
// with connecting to it without repeating the password.
package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/schemas/setting"
)

// form is how a database is named.
const form = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the password's special characters as %XX, or keywords such as host=HOST user=USER"

// parameters of a URL that pgx names in its errors.
var parameters = []string{
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslnegotiation", "target_session_attrs", "connect_timeout", "service",
	"passfile", "channel_binding", "require_auth", "min_protocol_version", "max_protocol_version", "krbspn",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	"pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime_jitter", "pool_max_conn_lifetime", "pool_max_conn_idle_time", "pool_health_check_period",
}

// Check says what is wrong with the URL of a database. The error ends a sentence
// that begins with the setting's name, and is our own: pgx's repeats what it was
// given, where a password may be in any place.
func Check(url setting.Secret) error {
	if url == "" {
		return errors.New("is empty")
	}
	_, err := pgxpool.ParseConfig(url.Reveal())
	if err == nil {
		return nil
	}
	text := err.Error()
	// What pgx was given is in backquotes, and may name any parameter.
	if end := strings.LastIndex(text, "`: "); end >= 0 {
		text = text[end:]
	}
	for _, p := range parameters {
		if strings.Contains(text, p) {
			return fmt.Errorf("has a %s that is not valid or cannot be used", p)
		}
	}
	switch {
	case strings.Contains(text, "invalid port"):
		return errors.New("has a port that is not a number from 1 to 65535; a password with special characters must have them as %XX")
	case strings.Contains(text, "CA file"):
		return errors.New("has a sslrootcert that cannot be read")
	}
	return fmt.Errorf("must be %s", form)
}
