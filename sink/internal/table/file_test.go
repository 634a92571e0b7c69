// SPDX-License-Identifier: Apache-2.0

package table

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/failure"
)

func load(t *testing.T, text string) ([]*Table, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tables.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load("webhooks", file)
}

func TestProblemsHaveFileLineAndField(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"syntax":            {"customer: {", "tables.yaml:2: "},
		"empty":             {"", "tables.yaml:1: "},
		"unknown setting":   {"customer:\n  tabel: c\n", "tables.yaml:2: "},
		"wrong type":        {"customer:\n  partitions: many\n", "tables.yaml:2: "},
		"entity":            {"custommer:\n  table: c\n", "tables.yaml:1: custommer: is no entity; there are "},
		"schema":            {"customer:\n  schema: hookstream\n", "tables.yaml:2: customer.schema: is where the sink keeps its books"},
		"same table":        {"customer:\n  table: t\norder:\n  table: t\n", "tables.yaml:4: order.table: is the table of customer too"},
		"same as a default": {"customer:\n  table: order\n", "order.table: is the table of customer too"},
		"long name":         {"customer:\n  table: " + strings.Repeat("x", 64) + "\n", "tables.yaml:2: customer.table: "},
		"field":             {"customer:\n  exclude: [name, nmae]\n", `tables.yaml:2: customer.exclude[1]: "nmae" is no field of customer`},
		"both":              {"customer:\n  include: [name]\n  exclude: [email]\n", "tables.yaml:3: customer.exclude: include and exclude cannot both be set"},
		"partitions":        {"customer:\n  partitions: -1\n", "tables.yaml:2: customer.partitions: -1 must be between"},
		"index column":      {"customer:\n  exclude: [name]\n  indexes:\n    - columns: [email, name]\n", `tables.yaml:4: customer.indexes[0].columns[1]: "name" is no column`},
		"index method":      {"customer:\n  indexes:\n    - columns: [name]\n      using: trie\n", `tables.yaml:4: customer.indexes[0].using: "trie" is none of`},
		"index columns":     {"customer:\n  indexes:\n    - name: x\n", "tables.yaml:3: customer.indexes[0]: needs columns"},
		"index twice":       {"customer:\n  indexes:\n    - columns: [name]\n    - columns: [name]\n", "tables.yaml:4: customer.indexes[1].name: two indexes are named"},

		"target key":      {target("key: {id: i}"), "tables.yaml:3: customer.target.key: must name the columns of tenant, provider and id"},
		"target version":  {target("version: {}"), "customer.target.version.customer: field group customer needs columns for its version"},
		"half a version":  {target("version: {customer: {order: o, offset: f, revision: r}}"), "customer.target.version.customer.generation: names no column"},
		"two versions":    {target("version: {customer: {column: v, order: o}}"), "customer.target.version.customer: has a column for the whole version and columns for its parts"},
		"unknown group":   {target("version: {customer: {column: v}, x: {column: w}}"), "customer.target.version.x: is no field group of customer"},
		"no deleted":      {target("columns: {name: n}"), "customer.target.columns: deleted needs a boolean column"},
		"unknown source":  {target("columns: {deleted: d, nmae: n}"), "customer.target.columns.nmae: is no field of customer"},
		"column twice":    {target("columns: {deleted: d, name: d}"), "customer.target.columns.name: column d is that of columns.deleted already"},
		"target's shape":  {target("key: {key: k}") + "  partitions: 2\n", "customer.target: a target is not the sink's to shape"},
		"empty column":    {target(`columns: {deleted: d, name: ""}`), "customer.target.columns.name: names no column"},
		"name of nothing": {"customer:\n  table: [1]\n", "tables.yaml:2: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text)
			if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load() = %v, want a Fatal error that says %s", err, c.want)
			}
		})
	}
	if _, err := Load("s", "nowhere.yaml"); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_TABLES_FILE") {
		t.Errorf("Load() of no file = %v", err)
	}
}

// target is a valid target with one setting replaced.
func target(setting string) string {
	settings := map[string]string{
		"key": "key: {key: k}", "version": "version: {customer: {column: v}}", "columns": "columns: {deleted: d}",
	}
	name, _, _ := strings.Cut(setting, ":")
	settings[name] = setting
	return "customer:\n  target:\n    " + settings["key"] + "\n    " + settings["version"] + "\n    " + settings["columns"] + "\n"
}

func TestFileChangesWhatItNames(t *testing.T) {
	all, err := load(t, "payment:\n  schema: billing\n  table: payments\n  include: [status, amount]\n"+target("key: {key: k}"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]*Table{}
	for _, table := range all {
		names[table.Name()] = table
	}
	payments, ok := names[`"billing"."payments"`]
	if !ok || len(payments.Entity.Fields) != 2 || len(payments.Entity.Groups) != 2 {
		t.Errorf("tables %v", names)
	}
	if c := names[`"webhooks"."customer"`]; c == nil || c.Ours() || names[`"webhooks"."invoice"`] == nil {
		t.Errorf("tables %v", names)
	}
	if all, err := load(t, "{}"); err != nil || len(all) == 0 {
		t.Errorf("a file without layouts: %v", err)
	}
}

func TestExamplesOfTheDocumentationAreValid(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sink.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		if _, err := load(t, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}
