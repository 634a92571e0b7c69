// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// definition is a provider acme with one rule, which takes any body; fields are lines
// of its mapping.
func definition(t *testing.T, entity string, lines ...string) *provider.Definition {
	t.Helper()
	text := strings.Replace(providertest.Acme("key"), "revision: 1", "revision: 3", 1) + `unmapped: dead-letter
events:
  - types: ["a.*"]
    entity: ` + entity + "\n    " + strings.Join(lines, "\n    ") + "\n    requires: {body.key: '*'}\n"
	def, err := provider.Parse("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	def.Events[0].Requires = nil
	return def
}

func acme(body string) *record.Webhook {
	return &record.Webhook{
		Tenant: "t", Provider: "acme", EventID: "1", EventType: "a.b", BusinessKey: "k", ReceivedAt: time.UnixMicro(7).UTC(),
		Request: map[string]string{"x-sent": "yes"}, Body: []byte(body), Position: record.Position{Topic: "raw", Offset: 5},
	}
}

func mapped(t *testing.T, body, entity string, lines ...string) (*event.Event, error) {
	t.Helper()
	return compiled(t, definition(t, entity, lines...)).Map(t.Context(), acme(body))
}

func TestCoercion(t *testing.T) {
	const body = `{"s":"x","e":"","i":7,"f":1.5,"w":2.0,"big":123456789012345678901,"b":true,"t":"2026-01-01T01:00:00.1234567+01:00","a":["x","y"],"m":{"k":"v","n":null},"o":{"b":1,"a":[2]},"mixed":["x",1],"u":1767225600}`
	cases := []struct{ field, expr, want, fails string }{
		{"name", ".s", "x", ""},
		{"name", ".e", "", ""},
		{"name", ".none", "<nil>", ""},
		{"name", ".i", "", "gives a number, want a string"},
		{"name", ".i|tostring", "7", ""},
		{"name", ".b", "", "gives a boolean, want a string"},
		{"name", ".s,.s", "", "gives more than one value"},
		{"name", "empty", "", "gives no value"},
		{"name", "$type", "a.b", ""},
		{"name", `$headers["x-sent"]`, "yes", ""},
		{"amount", ".i", "7", ""},
		{"amount", ".w", "2", ""},
		{"amount", ".f", "", "gives a number that is not a whole one"},
		{"amount", ".f*1e300", "", "gives a number that is not a whole one"},
		{"amount", ".big", "", "gives an integer beyond 64 bits"},
		{"amount", ".s", "", "gives a string, want an integer"},
		{"time", ".t", "2026-01-01 00:00:00.123456 +0000 UTC", ""},
		{"time", ".u|todate", "2026-01-01 00:00:00 +0000 UTC", ""},
		{"time", ".u", "", "gives a number, want an RFC 3339 time"},
		{"time", ".s", "", "gives a string that is not an RFC 3339 time"},
		{"bool", ".b", "true", ""},
		{"bool", ".s", "", "gives a string, want a boolean"},
		{"array", ".a", "[x y]", ""},
		{"array", ".mixed", "", "gives a number, want an array of strings"},
		{"array", ".o", "", "gives an object, want an array of strings"},
		{"map", ".m", "map[k:v]", ""},
		{"map", ".o", "", "want an object of strings"},
	}
	fields := map[string]struct{ entity, field string }{
		"name": {"customer", "name"}, "amount": {"payment", "amount"}, "time": {"payment", "created_at"},
		"bool": {"payment", "charge_captured"}, "array": {"pull_request", "labels"}, "map": {"payment", "extra"},
	}
	for _, c := range cases {
		t.Run(c.field+" "+c.expr, func(t *testing.T) {
			f := fields[c.field]
			ev, err := mapped(t, body, f.entity, "fields: {"+f.field+": '"+c.expr+"'}")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), "acme revision 3: a.b: field "+f.field) {
					t.Fatalf("got %v, want an error with %q and where", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(ev.Field(f.field)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestIDSuffixAndDeleted(t *testing.T) {
	ev, err := mapped(t, `{"r":"a/b c","gone":true}`, "customer", `id_suffix: .r`, `deleted: .gone`, `fields: {name: '"n"'}`)
	if err != nil || ev.ID != "k/a%2Fb%20c" || !ev.Meta.Deleted {
		t.Errorf("got %+v, %v", ev, err)
	}
	for expr, want := range map[string]string{".none": "gives null", `""`: "gives an empty string", ".n": "gives a number"} {
		if _, err := mapped(t, `{"n":1}`, "customer", "id_suffix: '"+expr+"'", `fields: {name: '"n"'}`); err == nil || !strings.Contains(err.Error(), "field id_suffix") || !strings.Contains(err.Error(), want) {
			t.Errorf("suffix %s: got %v, want an error with %q", expr, err, want)
		}
	}
	if _, err := mapped(t, `{}`, "customer", `deleted: .none`, `fields: {name: '"n"'}`); err == nil || !strings.Contains(err.Error(), "field deleted") {
		t.Errorf("deleted that is null: %v", err)
	}
}

func TestReasons(t *testing.T) {
	def := definition(t, "customer", "fields: {name: .name}")
	m := compiled(t, def)
	unmapped := acme(`{}`)
	unmapped.EventType = "z"
	noKey := acme(`{"name":"x"}`)
	noKey.Defect = reason.MissingKey
	malformed := acme(`{"name":`)
	malformed.Defect = reason.MalformedBody
	foreign := acme(`{"name":"x"}`)
	foreign.Defect = "made_up" // not of the closed set that labels metrics
	for want, w := range map[reason.Code]*record.Webhook{
		reason.InvalidRecord: foreign, reason.MalformedBody: malformed, reason.MissingKey: noKey, reason.Unmapped: unmapped, reason.MappingFailed: acme(`{"name":1}`),
	} {
		_, err := m.Map(t.Context(), w)
		var e *Error
		if !errors.As(err, &e) || e.Reason != want {
			t.Errorf("got %v, want reason %s", err, want)
		}
	}
	const unread = `{"name":"x","z":1,"z":2}`
	replayed, refused, whole := acme(unread), acme(unread), acme(unread)
	replayed.ReplayCount, refused.Defect, whole.EventType = 1, reason.MalformedBody, "unheard.of"
	for what, w := range map[string]*record.Webhook{
		"a name that is read": acme(`{"name":"x","name":"y"}`), "a replay": replayed, "what the edge refused": refused, "what is kept as a whole": whole,
	} {
		if _, err := m.Map(t.Context(), w); err == nil || !strings.Contains(err.Error(), "repeats an object's name") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := m.Map(t.Context(), acme(unread)); err != nil {
		t.Errorf("what nobody reads: %v", err)
	}
}

func TestUnmappedTypes(t *testing.T) {
	def := definition(t, "customer", "fields: {name: .name}")
	w := acme(`{"any": "thing" }`)
	w.EventType, w.EventID = "z", "a/b"
	def.Unmapped = provider.UnmappedDrop
	if ev, err := compiled(t, def).Map(t.Context(), w); ev != nil || err != nil {
		t.Errorf("drop gives %v, %v", ev, err)
	}
	def.Unmapped = provider.UnmappedGeneric
	ev, err := compiled(t, def).Map(t.Context(), w)
	if err != nil || ev.Entity != event.Generic || ev.ID != "k/a%2Fb" || ev.Field(event.GenericPayload) != `{"any": "thing" }` {
		t.Errorf("generic gives %+v, %v", ev, err)
	}
}

// TestOtherFormatsAreMappedAsTheEdgeReadThem: expressions see a form and an empty
// body as JSON.
func TestOtherFormatsAreMappedAsTheEdgeReadThem(t *testing.T) {
	def := definition(t, "customer", "fields: {name: .name // \"none\"}")
	def.Body.Formats = []provider.Format{provider.JSON, provider.Form, provider.Empty}
	m := compiled(t, def)
	for _, c := range []struct{ contentType, body, name, payload string }{
		{"application/x-www-form-urlencoded", "name=Ann+Lee", "Ann Lee", `{"name":"Ann Lee"}`},
		{"application/json", `{"name":"Ann"}`, "Ann", `{"name":"Ann"}`},
		{"", "", "none", `{}`},
	} {
		w := acme(c.body)
		w.ContentType = c.contentType
		if ev, err := m.Map(t.Context(), w); err != nil || ev.Field("name") != c.name {
			t.Errorf("%q gives %+v, %v", c.body, ev, err)
		}
		def.Unmapped, w.EventType = provider.UnmappedGeneric, "z"
		if ev, err := m.Map(t.Context(), w); err != nil || ev.Field(event.GenericPayload) != c.payload {
			t.Errorf("%q is kept as %+v, %v", c.body, ev, err)
		}
	}
}

// TestImpureFunctionsAreRefused: the same webhook must give the same event, in
// a replay years later too.
func TestImpureFunctionsAreRefused(t *testing.T) {
	for expr, name := range map[string]string{
		"now": "now", "now|todate": "now", "$ENV.HOME": "$ENV", "env.HOME": "env", "input": "input", "[inputs]": "inputs",
		".a|debug": "debug", "stderr": "stderr", "halt": "halt", ".a|halt_error": "halt_error", "input_filename": "input_filename",
		".a|localtime|tojson": "localtime", ".a|strflocaltime(\"%H\")": "strflocaltime",
		`"at \(now)"`: "now", "[.[]|select(now > 0)]": "now", "def f: now; f": "now", "reduce .[] as $x (now; .)": "now",
		"if . then now else 1 end": "now", "try now catch 1": "now", "{a: now}": "now", ".[now]": "now", ". as {a: $x} | now": "now",
		"foreach .[] as $x (0; now)": "now", "-now": "now", "label $x | now": "now", ".a[now:]": "now", "path(now)": "now", "@base64 \"\\(now)\"": "now",
	} {
		def := definition(t, "customer", "fields:", "  email: .email", "  name: '"+strings.ReplaceAll(expr, "'", "''")+"'")
		_, err := Compile(def)
		if want := "acme.yaml:22: events[0].fields.name: jq uses " + name; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", expr, err, want)
		}
	}
}

func TestCompileNamesEveryProblem(t *testing.T) {
	def := definition(t, "customer", "id_suffix: '.['", "deleted: nosuch", "fields:", "  name: $nosuch", "  email: import_it(1)")
	_, err := Compile(def)
	for _, want := range []string{
		"acme.yaml:20: events[0].id_suffix: jq does not parse",
		"acme.yaml:21: events[0].deleted: jq uses nosuch, which is not possible here",
		"acme.yaml:23: events[0].fields.name: jq does not compile",
		"acme.yaml:24: events[0].fields.email: jq uses import_it, which is not possible here",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	for _, expr := range []string{`import "a" as a; .`, `include "a"; .`, `import "a" as $a; .`, `modulemeta`} {
		if _, err := Compile(definition(t, "customer", "fields:", "  name: '"+expr+"'")); err == nil && expr != "modulemeta" {
			t.Errorf("%s may read files", expr)
		}
	}
}

func TestEndlessExpressionsEnd(t *testing.T) {
	for _, expr := range []string{"last(repeat(.))", "[limit(3; repeat(empty))]"} {
		started := time.Now()
		_, err := mapped(t, `{}`, "customer", "fields: {name: '"+expr+"'}")
		var e *Error
		if !errors.As(err, &e) || e.Reason != reason.MappingFailed || !strings.Contains(err.Error(), "did not end") {
			t.Errorf("%s: got %v after %s", expr, err, time.Since(started))
		}
	}
}

func TestTheCallersEndIsNoMappingFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := compiled(t, definition(t, "customer", "fields: {name: 'last(repeat(.))'}")).Map(ctx, acme(`{}`))
	var e *Error
	if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
		t.Errorf("got %v: a shutdown would dead-letter the webhook", err)
	}
}

// TestErrorsNeverQuoteTheBody: they go to logs, headers and terminals.
func TestErrorsNeverQuoteTheBody(t *testing.T) {
	const secret, number = "s3cr3t", "90210777"
	body := fmt.Sprintf(`{"s":%q,"n":%s,"o":{%q:1},"a":[%q],"f":0.%s,"p":"%s(:","q":"x: (%s","zero":0}`, secret, number, secret, secret, number, secret, secret)
	for _, expr := range []string{
		".s.x", ".n.x", ".s[0]", ".a.x", ".a[.s]", ".o[.n]", ".s[]", ".n[]", ".o|.[.x]|.y|error", "error(.s)", "error(.o)", "error(.n)", ".s|error",
		".s|fromjson", ".p|fromjson", ".q|fromjson", ".s|tonumber", ".p|tonumber", ".q|tonumber", ".a|tonumber", ".o|tonumber",
		".s+1", ".n+.o", ".s-1", ".s/1", ".n/.zero", ".n%.zero", ".s*.o", ".o-.a", "-.s", ".s|keys", ".s|length|.x", ".n|ltrimstr(1)|.x",
		".s|split(1)", ".n|split(\"a\")", ".s|test(.p)", ".s|test(.q)", ".p|test(.p)", ".n|test(.s)", ".s|strptime(\"%Y\")", ".s|strptime(.p)", ".p|fromdate", ".s|fromdate", ".s|todate",
		".s|@base64d", ".p|@base64d", ".s|implode", ".a|implode", ".a|join(1)|.x", ".s|has(.n)", ".o|has(.n)", ".a|has(.s)", ".s|map(.)", ".s|add|.x", ".a|add|.x",
		".s|to_entries", ".a|from_entries", ".s|flatten", ".a|flatten(-1)", ".s|min", ".s|sort", ".s|group_by(.)", ".a|getpath([.[0],1])", "getpath([\"s\",\"x\"])",
		"setpath([.s,1]; 1)|setpath([\"s\",1]; 2)", "delpaths(.s)", ".s as [$a] | $a", ".s as {a:$a} | $a", ".a|.[\"x\"]", ".s|ascii", ".s|explode|.x", ".n|explode", ".s|utf8bytelength|.x", ".n|utf8bytelength",
		".s|ascii_downcase|.x", ".n|ascii_downcase", ".n|startswith(\"a\")", ".s|startswith(.n)", ".n|endswith(\"a\")", ".s|splits(.n)", ".s|sub(.n;\"\")", ".n|sub(\"a\";\"\")", ".s|gsub(.p;\"\")",
		".s|minor_units(\"EUR\")", ".n|minor_units(.s)", ".o|minor_units(\"EUR\")", ".f|minor_units(\"EUR\")", ".s|limit(-1;.)|.x", ".s|indices(1)|.x", ".s|inside(.n)", ".n|inside(.s)", ".s|contains(.n)",
		".s|range(.)", "range(.s)", ".s|floor", ".s|pow(.;2)", ".s|log2", ".s|@csv", ".o|@csv", "[.o]|@csv", "[.o]|@tsv", "[.o]|@sh", ".o|@uri|.x", "label $l | .s | break $l", ".s|ltrimstr(\"s\")|.x", ".s|tojson|.x",
		".s|splits(\"(\")", ".o|transpose", ".s|walk(error)", ".s|env_none?//error(.)", "try error(.s) catch error(.)", ".s|mktime", ".a|mktime", ".s|gmtime", ".n|strftime(.n)", ".s|strftime(\"%Y\")", ".s|input_line_number?",
		".s", ".n", ".o", ".a", ".f",
	} {
		def := definition(t, "payment", "fields:", "  amount: '"+expr+"'", "  description: '"+expr+"'", "  created_at: '"+expr+"'")
		m, err := Compile(def)
		if err != nil {
			continue // a name that this jq does not have
		}
		if _, err = m.Map(t.Context(), acme(body)); err == nil {
			continue
		}
		// The message quotes the expression; what it says after that is about the body.
		said := strings.ReplaceAll(err.Error(), expr, "")
		for _, private := range []string{secret, number, number[:5], secret[:4]} {
			if strings.Contains(said, private) {
				t.Errorf("%s: %s", expr, err)
			}
		}
	}
}

func TestMinorUnits(t *testing.T) {
	cases := []struct{ amount, currency, want string }{
		{`"12.34"`, "EUR", "1234"},
		{`"12.3"`, "EUR", "1230"},
		{`"12"`, "USD", "1200"},
		{`"-0.05"`, "USD", "-5"},
		{`"+1.00"`, "USD", "100"},
		{`"0"`, "USD", "0"},
		{`".5"`, "USD", "50"},
		{`"12.340"`, "EUR", "1234"},
		{`12.34`, "EUR", "1234"},
		{`0.29`, "EUR", "29"}, // 0.29*100 is 28.999999999999996 in floating point
		{`1000000.07`, "EUR", "100000007"},
		{`1e3`, "EUR", "100000"}, // a JSON number, written out by the decoder
		{`"500"`, "JPY", "500"},
		{`"500.0"`, "JPY", "500"},
		{`"1.234"`, "KWD", "1234"},
		{`"1.2345"`, "CLF", "12345"},
		{`"10.50"`, "COP", "1050"}, // ISO 4217 gives it cents, whatever CLDR displays
		{`null`, "EUR", "null"},
		{`"92233720368547758.07"`, "EUR", "9223372036854775807"},
		{`"-92233720368547758.08"`, "EUR", "-9223372036854775808"},
		{`123456789012345678`, "JPY", "123456789012345678"},

		{`"12.345"`, "EUR", "more digits than its currency has"},
		{`"0.5"`, "JPY", "more digits than its currency has"},
		{`"1.2345"`, "KWD", "more digits than its currency has"},
		{`0.123`, "EUR", "more digits than its currency has"},
		{`"92233720368547758.08"`, "EUR", "beyond 64 bits"},
		{`"1e9"`, "EUR", "not a decimal amount"},
		{`"1E999999999"`, "EUR", "not a decimal amount"},
		{`"1/2"`, "EUR", "not a decimal amount"},
		{`"0x10"`, "EUR", "not a decimal amount"},
		{`"1_000"`, "EUR", "not a decimal amount"},
		{`"0b1"`, "EUR", "not a decimal amount"},
		{`"0p1"`, "EUR", "not a decimal amount"},
		{`"Inf"`, "EUR", "not a decimal amount"},
		{`"1,000.00"`, "EUR", "not a decimal amount"},
		{`"1.000,00"`, "EUR", "not a decimal amount"},
		{`" 1"`, "EUR", "not a decimal amount"},
		{`"€1"`, "EUR", "not a decimal amount"},
		{`""`, "EUR", "not a decimal amount"},
		{`"."`, "EUR", "not a decimal amount"},
		{`"--1"`, "EUR", "not a decimal amount"},
		{`"` + strings.Repeat("9", 41) + `"`, "EUR", "too long"},
		{strings.Repeat("9", 41), "EUR", "too long"},
		{`1e300`, "EUR", "too long"},
		{`true`, "EUR", "jq fails: minor_units"},
		{`[]`, "EUR", "jq fails: minor_units"},
		{`"1"`, "euro", "does not know the currency"},
		{`"1"`, "", "does not know the currency"},
		{`"1"`, "eur", "does not know the currency"},
	}
	for _, c := range cases {
		t.Run(c.amount+" "+c.currency, func(t *testing.T) {
			body := fmt.Sprintf(`{"amount":%s,"currency":%q}`, c.amount, c.currency)
			ev, err := mapped(t, body, "payment", "fields: {amount: '.currency as $c | .amount | minor_units($c)'}")
			got := "null"
			if err != nil {
				got = err.Error()
			} else if v := ev.Field("amount"); v != nil {
				got = fmt.Sprint(v)
			}
			if err == nil && got != c.want || !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// FuzzMap holds a mapping to an event or an *Error, never a panic, and the event
// to what Avro can hold.
func FuzzMap(f *testing.F) {
	defs, err := provider.Load("")
	if err != nil {
		f.Fatal(err)
	}
	var mappers []*Mapper
	for _, name := range defs.Names() {
		m, err := Compile(defs[name])
		if err != nil {
			f.Fatal(err)
		}
		mappers = append(mappers, m)
	}
	f.Add("payment_intent.succeeded", []byte(`{"data":{"object":{"id":"pi","amount":1,"currency":"eur","status":"succeeded"}}}`))
	f.Add("orders/create", []byte(`{"id":1,"total_price":"1.00","currency":"EUR"}`))
	f.Fuzz(func(t *testing.T, eventType string, data []byte) {
		w := acme(string(data))
		w.EventType = eventType
		for _, m := range mappers {
			ev, err := m.Map(t.Context(), w)
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("%T: %v", err, err)
			}
			if ev == nil {
				continue
			}
			entity, _ := event.Lookup(ev.Entity)
			if _, err := entity.AppendEncode(nil, ev); err != nil {
				t.Fatal(err)
			}
		}
	})
}
