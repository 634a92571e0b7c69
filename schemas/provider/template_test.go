// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lookup resolves references from a list.
func lookup(values map[string]string) Lookup {
	return func(ref Ref) (string, bool) {
		v, ok := values[Ref{Kind: ref.Kind, Name: ref.Name}.String()]
		return v, ok
	}
}

func TestTemplateExpand(t *testing.T) {
	request := lookup(map[string]string{
		"body.a": "A1", "body.a.b.0": "deep", "query.data.id": "ABC", "header.X-Url": "https://h%3A1%2Fa%20b", "method": "POST", "body.sum": "123456789", "body.q": `"`,
	})
	for text, want := range map[string]string{
		"":                          "",
		"plain":                     "plain",
		"{body.a}":                  "A1",
		"a{body.a}b{body.a.b.0}}":   "aA1bdeep}",
		"{query.data.id|lower}":     "abc",
		"{body.a|lower|upper}":      "A1",
		"{body.sum|crc32}":          "3421780262",
		"{header.X-Url|unescape}":   "https://h:1/a%20b",
		"{body.none?}!":             "!",
		"{body.none?|crc32}":        "",
		"{body.a|hide}x":            "x",
		`{"type":1,"q":"{method}"}`: `{"type":1,"q":"POST"}`,
		"{}":                        "{}",
		"{ }":                       "{ }",
	} {
		tmpl, err := ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, ok := tmpl.Expand(request); !ok || got != want {
			t.Errorf("%s gives %q, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"{body.none}", "x{body.none|lower}", "{body.a|sign}"} {
		tmpl, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tmpl.Expand(request); ok {
			t.Errorf("%s resolves to %q", text, got)
		}
	}
	for _, text := range []string{"{", "{body.a", "{boody}", "{body.}", "{header}", "{header.X Y}", "{body.a..b}", "{body.a|loud}", "{body.a|}", "{body.a|sign|lower}", "{timestamp.x}", "{query}"} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("%s is a template", text)
		}
	}
}

func TestConditions(t *testing.T) {
	d := parse(t, withVerify(schemeExamples["mtls"], "handshakes:\n  - {name: a, when: {body.type: 1, header.X-A: '*', body.event|lower: ping, body.gone: ''}}\n"))
	when := d.Handshakes[0].When
	all := map[string]string{"body.type": "1", "header.X-A": "x", "body.event": "PING"}
	if !when.Hold(lookup(all)) {
		t.Error("do not hold")
	}
	for name, value := range map[string]string{"body.type": "2", "header.X-A": "", "body.event": "pong", "body.gone": "here"} {
		changed := map[string]string{name: value}
		for k, v := range all {
			if k != name {
				changed[k] = v
			}
		}
		if when.Hold(lookup(changed)) {
			t.Errorf("hold with %s %q", name, value)
		}
	}
	if !(Conditions)(nil).Hold(lookup(nil)) {
		t.Error("no conditions do not hold")
	}
}

func TestAnswerEscapesWhatSendersChoose(t *testing.T) {
	sender := lookup(map[string]string{"query.c": "<b>\"\\\n\xff"})
	for contentType, want := range map[string]string{
		"text/plain":                      "<b>\"\\\n\xff",
		"text/html; charset=utf-8":        "&lt;b&gt;&#34;\\\n\xff",
		"application/xml":                 "&lt;b&gt;&#34;\\\n\xff",
		"Application/JSON; charset=utf-8": `<b>\"\\\n` + "\ufffd",
		"application/problem+json":        `<b>\"\\\n` + "\ufffd",
	} {
		body, err := ParseTemplate("[{query.c}]")
		if err != nil {
			t.Fatal(err)
		}
		a := Answer{ContentType: contentType, Body: body}
		if got, ok := a.Render(sender, nil); !ok || got != "["+want+"]" {
			t.Errorf("%s: %q, want %q", contentType, got, "["+want+"]")
		}
	}
}

func TestAnswerSignsChallengesOnly(t *testing.T) {
	body, err := ParseTemplate(`{"response_token":"sha256={query.crc|sign}"}`)
	if err != nil {
		t.Fatal(err)
	}
	a := Answer{Status: http.StatusOK, ContentType: "application/json", Body: body}
	sign := func(text string) (string, bool) { return "signed " + text, true }
	if got, ok := a.Render(lookup(map[string]string{"query.crc": "Ab_1-="}), sign); !ok || got != `{"response_token":"sha256=signed Ab_1-="}` {
		t.Errorf("got %s, %v", got, ok)
	}
	for _, text := range []string{`{"id":1}`, "1700000000.{}", "a b", "a=1&b=2"} {
		if got, ok := a.Render(lookup(map[string]string{"query.crc": text}), sign); ok {
			t.Errorf("signed %q: %s", text, got)
		}
	}
}

func TestMatchHost(t *testing.T) {
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"sns.us-*.amazonaws.com", "sns.us-east-1.amazonaws.com", true},
		{"sns.us-*.amazonaws.com", "SNS.us-east-1.amazonaws.COM", true},
		{"sns.us-*.amazonaws.com", "sns.s3.amazonaws.com", false},
		{"sns.*.amazonaws.com", "sns.a.b.amazonaws.com", false},
		{"sns.*.amazonaws.com", "sns..amazonaws.com", false},
		{"sns.*.amazonaws.com", "sns.-.amazonaws.com", false},
		{"*.example.com", "example.com", false},
		{"*.example.com", "a.example.com.evil.com", false},
		{"*.example.com", "a.example.com.", false},
		{"*.example.com", "a.example.com:443", false},
		{"*.example.com", "a%2eexample.com", false},
		{"*.example.com", "ä.example.com", false},
		{"example.com", "example.com", true},
		{"example.com", "exampleXcom", false},
		{"", "", false},
	} {
		if got := MatchHost(c.pattern, c.host); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.host, got)
		}
	}
}

func TestPinnedURL(t *testing.T) {
	pins := []string{"api.example.com", "*.sns.example.com"}
	for _, text := range []string{"https://api.example.com/cert?a=b", "https://API.example.com:443/", "https://eu.sns.example.com"} {
		if _, err := PinnedURL(text, pins); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"http://api.example.com/", "https://api.example.com:8443/", "https://user@api.example.com/", "https://api.example.com@evil.com/",
		"https://evil.com/api.example.com", "https://api.example.com.evil.com/", "https:api.example.com", "//api.example.com", "https://127.0.0.1/",
		"https://[::1]/", "https://api.example.com/#x", "https://api.example.com\\@evil.com/", "", "https://api.example.com\n/", "HTTPS//api.example.com",
	} {
		if u, err := PinnedURL(text, pins); err == nil {
			t.Errorf("%s is let through as %s", text, u)
		}
	}
}

func TestUnits(t *testing.T) {
	at := func(nanos int) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, nanos, time.UTC) }
	for _, c := range []struct {
		unit Unit
		text string
		want time.Time
	}{
		{Seconds, "1767323045", at(0)},
		{Seconds, "1767323045.123456", at(123456000)},
		{Seconds, "1767323045.5", at(500000000)},
		{Seconds, "1767323045.1234567899", at(123456789)},
		{Seconds, "-1", time.Unix(-1, 0).UTC()},
		{Milliseconds, "1767323045007", at(7000000)},
		{RFC3339, "2026-01-02T04:04:05.25+01:00", at(250000000)},
		{DateTime, "2026-01-02T03:04:05", at(0)},
		{DateTime, "2026-01-02 03:04:05.25", at(250000000)},
		{DateTime, "2026-01-02T03:04:05.1234567", at(123456700)},
	} {
		if got, err := c.unit.Parse(c.text); err != nil || !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s %s is %v, %v, want %v", c.unit, c.text, got, err, c.want)
		}
	}
	for unit, texts := range map[Unit][]string{
		Seconds:      {"", "x", "1.", ".5", "1.5x", "1e9", "-1.5", "99999999999999999999", "1.-5"},
		Milliseconds: {"", "1.5", "x"},
		RFC3339:      {"2026-01-02T03:04:05", "2026-01-02", "x"},
		DateTime:     {"2026-01-02T03:04:05Z", "2026-01-02"},
	} {
		for _, text := range texts {
			if got, err := unit.Parse(text); err == nil {
				t.Errorf("%s %q is %v", unit, text, got)
			}
		}
	}
}

func TestView(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	both := []Format{Form, JSON, Empty}
	for name, c := range map[string]struct {
		body             Body
		contentType, raw string
		want             string
	}{
		"json":            {Body{}, "", `{"a":1}`, `{"a":1}`},
		"json, by any":    {Body{}, form, `{"a":1}`, `{"a":1}`},
		"form":            {Body{Formats: []Format{Form}}, "", "a=1", `{"a":"1"}`},
		"form of both":    {Body{Formats: both}, form + "; charset=utf-8", "a=1", `{"a":"1"}`},
		"json of both":    {Body{Formats: both}, "application/json", "{}", `{}`},
		"json in a field": {Body{Formats: both, Form: "payload"}, form, "payload=%7B%22a%22%3A1%7D", `{"a":1}`},
		"no such field":   {Body{Formats: both, Form: "payload"}, form, "a=1", `{"a":"1"}`},
		"empty":           {Body{Formats: both}, form, "", `{}`},
	} {
		if got, err := c.body.View(c.contentType, []byte(c.raw)); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	for name, c := range map[string]struct {
		body Body
		raw  string
	}{
		"not empty": {Body{Formats: []Format{Empty}}, "{}"},
		"twice":     {Body{Formats: []Format{Form}, Form: "payload"}, "payload=1&payload=2"},
		"no form":   {Body{Formats: []Format{Form}}, "%zz"},
	} {
		if got, err := c.body.View("", []byte(c.raw)); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// FuzzTemplate: a template is refused, or its text comes back, and what it gives is
// made of its literals and what the lookup said.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{timestamp}.{body}", "v0:{header.X-A?|lower}:{query.data.id}", `{"a":"{body.x|sign}"}`, "{", "}{", "{{body}}", "{body.a..b}", "{path|crc32|upper}"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := ParseTemplate(text)
		if err != nil {
			return
		}
		if tmpl.String() != text {
			t.Fatalf("%q became %q", text, tmpl)
		}
		for _, ref := range tmpl.Refs() {
			if again, err := ParseRef(ref.String()); err != nil || again.String() != ref.String() || !strings.Contains(text, "{"+ref.String()+"}") {
				t.Fatalf("{%s} of %q reads as {%s}, %v", ref, text, again, err)
			}
		}
		sign := func(s string) (string, bool) { return s, true }
		got, ok := Expander{Lookup: func(Ref) (string, bool) { return value, value != "" }, Sign: sign, Escape: escapeJSON}.Expand(tmpl)
		if !ok || len(tmpl.Refs()) == 0 {
			return
		}
		if quoted, isOne := `"`+got+`"`, len(tmpl.Parts()) == 1; isOne && !json.Valid([]byte(quoted)) {
			t.Fatalf("%q with %q escapes to %s", text, value, quoted)
		}
	})
}
