// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/service"
)

func TestMain(m *testing.M) { pgtest.Main(m.Run) }

// run runs a command line and returns what it prints and its error.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	parser, err := kong.New(&Commands{}, kong.Writers(&out, &out), kong.Vars{"admin_address": ":8083"})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return "", err
	}
	parsed.BindTo(t.Context(), (*context.Context)(nil))
	err = parsed.Run()
	return out.String(), err
}

func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDDLMakesTheDatabase(t *testing.T) {
	url := pgtest.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "tables.yaml")
	if err := os.WriteFile(file, []byte("customer: {table: people}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exec("do $$ begin create role reader; exception when duplicate_object then null; end $$")
	out, err := run(t, "ddl", "--tables-file", file, "--grant-to", "reader")
	exec(must(t, out, err))
	exec(out)
	var can bool
	if err := conn.QueryRow(t.Context(), `select has_table_privilege('reader', 'webhooks.people', 'insert') and has_table_privilege('reader', 'hookstream.ledger', 'insert')`).Scan(&can); err != nil || !can {
		t.Errorf("the user may not write: %v", err)
	}
	diff := []string{"ddl", "--diff", "--tables-file", file, "--database-url", url}
	if out, err := run(t, diff...); out != "" || err != nil {
		t.Errorf("nothing is lacking, and yet: %s %v", out, err)
	}
	exec("alter table webhooks.people drop column name")
	out, err = run(t, diff...)
	if must(t, out, err); !strings.HasPrefix(out, `ALTER TABLE "webhooks"."people" ADD COLUMN IF NOT EXISTS "name" text;`) {
		t.Errorf("printed %q", out)
	}
	exec("alter table webhooks.people alter email type varchar(9)")
	if _, err = run(t, diff...); err == nil || !strings.Contains(err.Error(), `ALTER COLUMN "email" TYPE text`) {
		t.Errorf("an unsafe change: %v", err)
	}
}

func TestStatusWithoutAnybodyToAsk(t *testing.T) {
	out, err := run(t, "status", "-o", "json", "--brokers", "127.0.0.1:1", "--database-url", "postgres://127.0.0.1:1/x", "--timeout", "200ms")
	var code kong.ExitCoder
	if !errors.As(err, &code) || code.ExitCode() != service.ExitPartial {
		t.Fatalf("%v, want exit code %d", err, service.ExitPartial)
	}
	for _, want := range []string{"database: ", "kafka: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q: %s", want, out)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	t.Setenv("HOOKSTREAM_DATABASE_URL", "")
	for want, args := range map[string][]string{
		"HOOKSTREAM_DATABASE_URL is empty":         {"status"},
		"--diff needs HOOKSTREAM_DATABASE_URL":     {"ddl", "--diff"},
		"HOOKSTREAM_TABLES_SCHEMA":                 {"ddl", "--tables-schema", "hookstream"},
		"HOOKSTREAM_LEDGER_RETENTION":              {"ddl", "--ledger-retention", "1h"},
		"nowhere.yaml":                             {"ddl", "--tables-file", "nowhere.yaml"},
		"HOOKSTREAM_ADMIN_ADDRESS is \"nonsense\"": {"status", "--database-url", "postgres://h/d", "--admin-address", "nonsense"},
	} {
		if _, err := run(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error that says %s", args, err, want)
		}
	}
}
