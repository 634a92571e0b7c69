// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestFormJSON(t *testing.T) {
	cases := map[string]string{
		"":                       `{}`,
		"b=1&a=2":                `{"b":"1","a":"2"}`,
		"a=1&b=x&a=2":            `{"a":["1","2"],"b":"x"}`,
		"a=%22%0A&b+c=d+e%2B":    `{"a":"\"\n","b c":"d e+"}`,
		"a&b=&=c":                `{"a":"","b":"","":"c"}`,
		"a=%C3%A9&&":             `{"a":"é"}`,
		"a=<script>&b=\u2028":    "{\"a\":\"<script>\",\"b\":\"\u2028\"}",
		"payload=%7B%22a%22%3A1": `{"payload":"{\"a\":1"}`,
	}
	for form, want := range cases {
		if got, err := FormJSON([]byte(form)); err != nil || string(got) != want {
			t.Errorf("%q gives %s, %v, want %s", form, got, err, want)
		}
	}
	for _, form := range []string{"a=%zz", "%=1", "a=%ff", strings.Repeat("a=1&", maxFields) + "a=1"} {
		if got, err := FormJSON([]byte(form)); err == nil {
			t.Errorf("%.20q gives %s", form, got)
		}
	}
}

func TestFormField(t *testing.T) {
	if got, err := FormField([]byte("x=1&payload=%7B%7D"), "payload"); err != nil || string(got) != "{}" {
		t.Errorf("got %s, %v", got, err)
	}
	// Slack's slash commands are forms without the field that its interactions have.
	if got, err := FormField([]byte("x=1&y=2"), "payload"); err != nil || string(got) != `{"x":"1","y":"2"}` {
		t.Errorf("without the field: %s, %v", got, err)
	}
	for _, form := range []string{"payload=1&payload=2", "payload=%zz"} {
		if got, err := FormField([]byte(form), "payload"); err == nil {
			t.Errorf("%q gives %s", form, got)
		}
	}
}

func TestIsForm(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/x-www-form-urlencoded": true, " Application/X-WWW-Form-Urlencoded ; charset=UTF-8": true,
		"application/json": false, "": false, "application/x-www-form-urlencoded2": false,
	} {
		if IsForm(contentType) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

// FuzzForm holds FormJSON to what net/url reads, and to JSON.
func FuzzForm(f *testing.F) {
	f.Add([]byte("a=1&b=%20&a=x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := FormJSON(data)
		if err != nil {
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(got, &fields); err != nil {
			t.Fatalf("%q gives %s: %v", data, got, err)
		}
		if strings.Contains(string(data), ";") {
			return // net/url refuses what HTML allows
		}
		want, err := url.ParseQuery(string(data))
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", data, err)
		}
		values := url.Values{}
		for name, v := range fields {
			switch v := v.(type) {
			case string:
				values[name] = []string{v}
			case []any:
				for _, s := range v {
					values[name] = append(values[name], s.(string)) //nolint:errcheck,forcetypeassert // a panic fails the test
				}
			}
		}
		if !reflect.DeepEqual(values, want) {
			t.Fatalf("%q gives %v, net/url %v", data, values, want)
		}
	})
}
