// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/providertest"
)

var definition = providertest.Acme("key") + `events:
  - types: [payment]
    entity: payment
    fields:
      amount: .amount
`

const sound = `provider: acme
headers: {Content-Type: application/json}
body: '{"id": "e1", "type": "payment", "key": "k1", "amount": 7}'
want:
  event_id: e1
  event_type: payment
  key: k1
  time: null
  entity: payment
  id: k1
  deleted: false
  groups: null
  fields:
    amount: 7
`

// check runs the command over a definition and a fixture.
func check(t *testing.T, definition, fixture string, args ...string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("acme.yaml", definition)
	if fixture != "" {
		write("fixtures/acme/case.yaml", fixture)
	}
	var stdout bytes.Buffer
	parser, err := kong.New(&Commands{}, kong.Writers(&stdout, &stdout), kong.BindTo(t.Context(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"check", dir}, args...))
	if err != nil {
		t.Fatal(err)
	}
	err = parsed.Run()
	var coded kong.ExitCoder
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, stdout.String()
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		definition, fixture string
		want                string
	}{
		"sound":                     {definition, sound, "1 definitions, 1 fixtures, 0 problems"},
		"another event comes out":   {strings.Replace(definition, ".amount", ".amount * 2", 1), sound, "case.yaml:14: fields.amount: is 14, want 7"},
		"an expression is no jq":    {strings.Replace(definition, ".amount", ".amount |", 1), sound, "acme.yaml:20: events[0].fields.amount: jq does not parse"},
		"an expression is impure":   {strings.Replace(definition, ".amount", "now", 1), sound, "jq uses now"},
		"an expression fails":       {strings.Replace(definition, ".amount", ".amount.x", 1), sound, "field amount"},
		"a rule without a fixture":  {definition, "", "acme.yaml:17: events[0]: no fixture has one of the types [payment]"},
		"a field that is not one":   {definition, strings.Replace(sound, "amount: 7\n", "amonut: 7\n", 1), "fields.amonut: payment has no such field"},
		"a fixture of nobody":       {definition, strings.Replace(sound, "provider: acme", "provider: other", 1), "which is not the folder's name"},
		"a fixture that is no YAML": {definition, sound + "\t- x", "case.yaml"},
	} {
		code, out := check(t, c.definition, c.fixture)
		if holds := name == "sound"; (code == 0) != holds || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d:\n%s", name, code, out)
		}
	}
}

func TestCheckAsJSON(t *testing.T) {
	code, out := check(t, strings.Replace(definition, ".amount", ".key", 1), sound, "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || len(r.Problems) != 1 || r.Definitions != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}
