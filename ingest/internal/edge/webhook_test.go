// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
)

// pairKeys gives every pair the keys of several.
type pairKeys [][]verify.Key

func (p pairKeys) Keys(string, string) []verify.Key { return slices.Concat(p...) }

func (pairKeys) VerifyToken(string, string, string) bool { return false }

// TestDefects: what was verified is stored, whatever else is wrong with it.
func TestDefects(t *testing.T) {
	long := strings.Repeat("x", 513)
	deep := strings.Repeat("[", 100_000)
	cases := map[string]struct {
		request *http.Request
		defect  reason.Code
		// id, kind (the event type) and key; "*" is the correlation id.
		id, kind, key string
	}{
		"fine":                       {stripe(stripeBody), "", "evt_1", "customer.created", "cus_1"},
		"unknown type":               {stripe(`{"id":"evt_1","type":"never.heard","data":{"object":{"id":"x"}}}`), "", "evt_1", "never.heard", "x"},
		"empty":                      {stripe(""), reason.MalformedBody, "*", "unknown", "*"},
		"not JSON":                   {stripe("hello"), reason.MalformedBody, "*", "unknown", "*"},
		"form":                       {stripe("payload=%7B%7D"), reason.MalformedBody, "*", "unknown", "*"},
		"truncated":                  {stripe(stripeBody[:50]), reason.MalformedBody, "*", "unknown", "*"},
		"two values":                 {stripe(stripeBody + stripeBody), reason.MalformedBody, "*", "unknown", "*"},
		"repeated name":              {stripe(`{"id":"evt_1","id":"evt_2"}`), reason.MalformedBody, "*", "unknown", "*"},
		"invalid UTF-8":              {stripe("{\"id\":\"evt_\xff\"}"), reason.MalformedBody, "*", "unknown", "*"},
		"100,000 deep":               {stripe(deep), reason.MalformedBody, "*", "unknown", "*"},
		"100,000 deep, closed":       {stripe(deep + strings.Repeat("]", 100_000)), reason.MalformedBody, "*", "unknown", "*"},
		"malformed, id in a header":  {github(`{`), reason.MalformedBody, "72d3162e-cc78-11e3-81ab-4c9367dc0958/292430182", "issues", "hooks/292430182"},
		"no id":                      {stripe(`{"type":"a","data":{"object":{"id":"cus_1"}}}`), reason.MissingIdentity, "*", "a", "cus_1"},
		"id is null":                 {stripe(`{"id":null,"type":"a","data":{"object":{"id":"cus_1"}}}`), reason.MissingIdentity, "*", "a", "cus_1"},
		"id is an object":            {stripe(`{"id":{},"type":"a","data":{"object":{"id":"cus_1"}}}`), reason.MissingIdentity, "*", "a", "cus_1"},
		"id too long":                {stripe(`{"id":"` + long + `","type":"a","data":{"object":{"id":"cus_1"}}}`), reason.MissingIdentity, "*", "a", "cus_1"},
		"id with NUL":                {stripe(`{"id":"a\u0000b","type":"a","data":{"object":{"id":"cus_1"}}}`), reason.MissingIdentity, "*", "a", "cus_1"},
		"id as long as can be":       {stripe(`{"id":"` + long[1:] + `","type":"a","data":{"object":{"id":"cus_1"}}}`), "", long[1:], "a", "cus_1"},
		"key too long":               {stripe(`{"id":"evt_1","type":"a","data":{"object":{"id":"` + long + `"}}}`), reason.MissingKey, "evt_1", "a", "evt_1"},
		"key with a line break":      {stripe(`{"id":"evt_1","type":"a","data":{"object":{"id":"a\nb"}}}`), reason.MissingKey, "evt_1", "a", "evt_1"},
		"no type":                    {stripe(`{"id":"evt_1","data":{"object":{"id":"cus_1"}}}`), "", "evt_1", "unknown", "cus_1"},
		"type too long":              {stripe(`{"id":"evt_1","type":"` + long + `","data":{"object":{"id":"cus_1"}}}`), "", "evt_1", "unknown", "cus_1"},
		"ids above 2^53":             {shopify(`{"id":9007199254740993}`), "", "98880550-7158-44d4-b7cd-2c97c8a091b5/orders/create", "orders/create", "orders/9007199254740993"},
		"no key":                     {shopify(`{"order":1}`), reason.MissingKey, "98880550-7158-44d4-b7cd-2c97c8a091b5/orders/create", "orders/create", "98880550-7158-44d4-b7cd-2c97c8a091b5/orders/create"},
		"header id in invalid UTF-8": {with(shopify(`{"id":1}`), "X-Shopify-Event-Id", "\xff"), reason.MissingIdentity, "*", "orders/create", "orders/1"},
		"header id with a tab":       {with(shopify(`{"id":1}`), "X-Shopify-Event-Id", "a\tb"), reason.MissingIdentity, "*", "orders/create", "orders/1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			body := readAll(t, c.request)
			a := w.do(c.request)
			a.expect(t, http.StatusAccepted, "")
			got := w.kept.last(t)
			placeholder := func(want string) string {
				if want == "*" {
					return a.body.CorrelationID
				}
				return want
			}
			if got.Defect != c.defect || a.body.Defect != string(c.defect) {
				t.Errorf("defect %q stored and %q answered, want %q", got.Defect, a.body.Defect, c.defect)
			}
			if got.EventID != placeholder(c.id) || a.body.EventID != got.EventID || got.EventType != c.kind || got.BusinessKey != placeholder(c.key) {
				t.Errorf("got id %q, type %q, key %q", got.EventID, got.EventType, got.BusinessKey)
			}
			if (c.id == "*") != (got.IdentitySource == identity.None) {
				t.Errorf("identity source %q", got.IdentitySource)
			}
			if string(got.Body) != body {
				t.Error("the body was changed")
			}
			if warned := strings.Contains(w.log.String(), `"WARN"`); warned != (c.defect != "") {
				t.Errorf("log: %s", w.log)
			}
		})
	}
}

func with(r *http.Request, name, value string) *http.Request {
	r.Header[http.CanonicalHeaderKey(name)] = []string{value}
	return r
}

func TestTimes(t *testing.T) {
	body := func(created string) *http.Request {
		return stripe(`{"id":"evt_1","type":"a","created":` + created + `,"data":{"object":{"id":"cus_1"}}}`)
	}
	cases := map[string]struct {
		request *http.Request
		want    time.Time
		warned  bool
	}{
		"whole seconds": {body("1767268800"), time.Unix(1767268800, 0), false},
		"none":          {body("null"), time.Time{}, false},
		"not a time":    {body(`"soon"`), time.Time{}, true},
		"a fraction":    {body("1767268800.5"), time.Unix(1767268800, 5e8), false},
		"beyond 9999":   {body("300000000000"), lastTime, false},
		// time.Time wraps; what matters is that it stays out of bounds.
		"beyond all times": {body("9223372036854775807"), firstTime, false},
		"before the year":  {body("-9223372036854775808"), firstTime, false},
		"milliseconds":     {body("1767268800000"), lastTime, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.do(c.request).expect(t, http.StatusAccepted, "")
			got := w.kept.last(t)
			if !got.OccurredAt.Equal(c.want) || got.Defect != "" {
				t.Errorf("occurred at %s with defect %q, want %s", got.OccurredAt, got.Defect, c.want)
			}
			if warned := strings.Contains(w.log.String(), "identity.time"); warned != c.warned {
				t.Errorf("log: %s", w.log)
			}
		})
	}
}

func TestRequestHeadersOnTheRecord(t *testing.T) {
	w := newWorld(t)
	r := shopify(`{"id":1}`)
	r.Header.Set("X-Shopify-Api-Version", "2026-01")
	r.Header["X-Shopify-Triggered-At"] = []string{"\xfe"}
	r.Header.Set("X-Shopify-Shop-Domain", strings.Repeat("x", maxRequestHeader+1))
	r.Header.Set("Authorization", "Bearer x")
	r.Header["Content-Type"] = []string{"\xff"}
	w.do(r).expect(t, http.StatusAccepted, "")
	got := w.kept.last(t)
	if got.Request["x-shopify-api-version"] != "2026-01" || got.Request["x-shopify-hmac-sha256"] == "" {
		t.Errorf("lacks what it must keep: %v", got.Request)
	}
	for _, name := range []string{"x-shopify-triggered-at", "x-shopify-shop-domain", "authorization"} {
		if v, ok := got.Request[name]; ok {
			t.Errorf("keeps %s: %.40q", name, v)
		}
	}
	if got.ContentType != "" {
		t.Errorf("content type %q", got.ContentType)
	}
}

func TestRemoteIsAnAddressWithoutItsPort(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::7]:443": "2001:db8::7",
		"[::ffff:192.0.2.1]:1": "192.0.2.1", "[fe80::1%eth0]:1": "fe80::1", "@": "", "": "",
	} {
		if got := remote(addr); got != want {
			t.Errorf("%q gives %q, want %q", addr, got, want)
		}
	}
	w := newWorld(t)
	r := stripe(stripeBody)
	r.RemoteAddr = "198.51.100.4:5555"
	w.do(r).expect(t, http.StatusAccepted, "")
	if got := w.kept.all(t); len(got) != 1 || got[0].Remote != "198.51.100.4" {
		t.Errorf("stored %+v", got)
	}
}
