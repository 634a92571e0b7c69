// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/registry"
)

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), &out, &errs, args)
	return code, out.String(), errs.String()
}

func TestCheckRefusesAnIncompatibleChange(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	if code, out, errs := run(t, "check", "--registry-url", reg.URL()); code != 0 || !strings.Contains(out, "absent") {
		t.Errorf("an empty registry gives %d: %s%s", code, out, errs)
	}
	client, err := sr.NewClient(sr.URLs(reg.URL()))
	if err != nil {
		t.Fatal(err)
	}
	const foreign = `{"type":"record","name":"Payment","namespace":"hookstream.events.v1","fields":[{"name":"id","type":"long"}]}`
	if _, err := client.CreateSchema(t.Context(), registry.Subject("events.payment.v1"), sr.Schema{Schema: foreign, Type: sr.TypeAvro}); err != nil {
		t.Fatal(err)
	}
	code, out, _ := run(t, "check", "--registry-url", reg.URL(), "-o", "json")
	var rows []registry.Standing
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != exitRefused || len(rows) != len(event.Entities()) {
		t.Fatalf("got %d, %d rows, %v", code, len(rows), err)
	}
	for _, r := range rows {
		if want := r.Entity == "payment"; (r.State == registry.Incompatible) != want || want && r.Conflicts[0].Reason == "" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestCheckWithoutARegistry(t *testing.T) {
	reg := srfake.New()
	reg.Close()
	if code, _, errs := run(t, "check", "--registry-url", reg.URL()); code != exitFailed || !strings.Contains(errs, "schema registry") {
		t.Errorf("got %d: %s", code, errs)
	}
}

func TestOutput(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list"}, 0, "events.payment.v1"},
		{[]string{"list", "-o", "json"}, 0, `"topic": "events.order.v1"`},
		{[]string{"show", "payment"}, 0, `"name":"Payment"`},
		{[]string{"document"}, 0, "## payment"},
		{[]string{"document", "--format", "asyncapi"}, 0, "asyncapi: 3.0.0"},
		{[]string{"--help"}, 0, "schemas check"},
	} {
		if code, out, errs := run(t, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("schemas %v gave %d: %.300s%s", c.args, code, out, errs)
		}
	}
	for _, args := range [][]string{{}, {"nonsense"}, {"check", "-o", "xml"}} {
		if code, _, errs := run(t, args...); code != exitUsage || errs == "" {
			t.Errorf("schemas %v gave %d and says %q", args, code, errs)
		}
	}
	if code, _, errs := run(t, "show", "nothing"); code != exitFailed || !strings.Contains(errs, "payment") {
		t.Errorf("got %d: %s", code, errs)
	}
}
