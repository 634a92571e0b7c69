// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestValidateNamesTheVariable(t *testing.T) {
	for variable, change := range map[string]func(*Config){
		"HOOKSTREAM_DATABASE_URL":           func(c *Config) { c.DatabaseURL = "" },
		"HOOKSTREAM_REGISTRY_URL":           func(c *Config) { c.Registry.URL = "localhost" },
		"HOOKSTREAM_TABLES_SCHEMA":          func(c *Config) { c.TablesSchema = "hookstream" },
		"HOOKSTREAM_SINK_GROUP":             func(c *Config) { c.Group = "" },
		"HOOKSTREAM_SESSION_TIMEOUT":        func(c *Config) { c.SessionTimeout = 0 },
		"HOOKSTREAM_SINK_MAX_RECORDS":       func(c *Config) { c.MaxRecords = 0 },
		"HOOKSTREAM_SINK_POOL_SIZE":         func(c *Config) { c.PoolSize = 1 },
		"HOOKSTREAM_SINK_STATEMENT_TIMEOUT": func(c *Config) { c.StatementTimeout = 0 },
		"HOOKSTREAM_LEDGER_RETENTION":       func(c *Config) { c.LedgerRetention = c.Kafka.Retention + c.Kafka.DedupWindow - 1 },
		"HOOKSTREAM_SINK_PURGE_AFTER":       func(c *Config) { c.PurgeAfter, c.Kafka.Retention = 1<<60, -1 },
		"HOOKSTREAM_BROKERS":                func(c *Config) { c.Kafka.Brokers = nil },
	} {
		var c Config
		must(t, Info.Defaults(&c))
		c.DatabaseURL = "postgres://h/d"
		if err := c.Validate(); err != nil {
			t.Fatalf("the defaults are invalid: %v", err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("Validate() = %v, want an error that names %s", err, variable)
		}
	}
}

func TestDatabaseURLIsNotPrinted(t *testing.T) {
	c := Config{Database: Database{DatabaseURL: "postgres://u:hunter2@h/d"}}
	if got := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(got, "hunter2") {
		t.Errorf("the password is printed: %s", got)
	}
}

// TestNewNamesTheWrongSetting: what New has made is closed again, whatever it was.
func TestNewNamesTheWrongSetting(t *testing.T) {
	for variable, change := range map[string]func(*Config){
		"HOOKSTREAM_DATABASE_URL":  func(c *Config) { c.DatabaseURL = "garbage" },
		"nowhere.yaml":             func(c *Config) { c.TablesFile = "nowhere.yaml" },
		"HOOKSTREAM_KAFKA_CA_FILE": func(c *Config) { c.Kafka.TLS, c.Kafka.CAFile = true, "nowhere.pem" },
	} {
		var c Config
		must(t, Info.Defaults(&c))
		c.DatabaseURL, c.AdminAddress = "postgres://h/d", ""
		change(&c)
		if _, err := New(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("New() = %v, want an error that names %s", err, variable)
		}
	}
}
