// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

// byShop is a provider whose signed content names the tenant.
var byShop = acmeIdentity + "  tenant: [{from: '{body.shop}'}]\n" + providertest.Verify

// TestTenantFromSignedContent: one app's secret covers all its customers, so the
// signed body says whose event it is, where the path does not.
func TestTenantFromSignedContent(t *testing.T) {
	w := newWorldOf(t, define(t, "acme", byShop), "default/acme="+acmeKey+";acme/acme="+acmeKey)
	cases := map[string]struct {
		path, body, tenant string
		defect             reason.Code
	}{
		"named":                {"/webhooks/acme", `{"id":"1","shop":"Shop-7"}`, "shop-7", ""},
		"not named":            {"/webhooks/acme", `{"id":"1"}`, "default", ""},
		"named, and the path":  {"/webhooks/acme/acme", `{"id":"1","shop":"shop-7"}`, "acme", ""},
		"no name":              {"/webhooks/acme", `{"id":"1","shop":"../etc"}`, "default", reason.InvalidTenant},
		"no name, and no id":   {"/webhooks/acme", `{"shop":"../etc"}`, "default", reason.MissingIdentity},
		"no name, in the path": {"/webhooks/acme/acme", `{"id":"1","shop":"../etc"}`, "acme", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := acmeRequest(c.body)
			r.URL.Path = c.path
			w.do(r).expect(t, http.StatusAccepted, "")
			if got := w.kept.last(t); got.Tenant != c.tenant || got.Defect != c.defect {
				t.Errorf("stored under %q with defect %q, want %q and %q", got.Tenant, got.Defect, c.tenant, c.defect)
			}
		})
	}
}

// TestWhatIsSaidOfARequestNamesItsTenantAndEvent: the tenant that the event is stored
// under, also where it could not be stored.
func TestWhatIsSaidOfARequestNamesItsTenantAndEvent(t *testing.T) {
	tracing.ShowTenants(true)
	t.Cleanup(func() { tracing.ShowTenants(false) })
	recorder := tracingtest.Record(t, sdktrace.AlwaysSample())
	w := newWorldOf(t, define(t, "acme", byShop), "default/acme="+acmeKey)
	check := func() {
		t.Helper()
		ended := recorder.Ended()
		got := tracingtest.Attributes(ended[len(ended)-1])
		if got["hookstream.tenant"] != "shop-7" || got["cloudevents.event_id"] != "evt_1" {
			t.Errorf("the span has the attributes %v", got)
		}
		if line := w.lastLine(t); line["tenant"] != "shop-7" || line["event_id"] != "evt_1" {
			t.Errorf("the line is %v", line)
		}
	}
	body := `{"id":"evt_1","shop":"shop-7"}`
	w.do(acmeRequest(body)).expect(t, http.StatusAccepted, "")
	check()
	w.kept.err = errors.New("no broker")
	refused := w.do(acmeRequest(body))
	refused.expect(t, http.StatusServiceUnavailable, notAcknowledged.Slug)
	check()
	if refused.body.EventID != "evt_1" || refused.body.Tenant != "shop-7" {
		t.Errorf("the problem is %s", refused.Body)
	}
}

// TestProblemsNameNobodyBeforeTheSignatureIsChecked: who cannot sign learns no tenant.
func TestProblemsNameNobodyBeforeTheSignatureIsChecked(t *testing.T) {
	w := newWorldOf(t, define(t, "acme", byShop), "default/acme="+acmeKey)
	a := w.do(post("/webhooks/acme", `{"id":"evt_1","shop":"shop-7"}`))
	a.expect(t, http.StatusUnauthorized, invalidSignature.Slug)
	if text := a.Body.String(); strings.Contains(text, "evt_1") || strings.Contains(text, "tenant\":") {
		t.Errorf("the problem is %s", text)
	}
}

// TestABatchOfSeveralTenants: each event is of its own, and the request of none.
func TestABatchOfSeveralTenants(t *testing.T) {
	w := newWorldOf(t, define(t, "acme", batchAcme+"  tenant: [{from: '{body.0.shop}'}]\n"), "default/acme="+acmeKey)
	item := func(id, shop string) string {
		return `{"id":"` + id + `","type":"a","object":"x","shop":"` + shop + `"}`
	}
	w.do(acmeRequest("["+item("1", "a")+","+item("2", "b")+"]")).expect(t, http.StatusAccepted, "")
	if line := w.lastLine(t); line["tenant"] != "b" || line["event_id"] != "2" {
		t.Errorf("the line is %v", line)
	}
	w.kept.err = errors.New("no broker")
	for second, want := range map[string]string{"a": "", "b": "b"} {
		got := w.do(acmeRequest("[" + item("1", "b") + "," + item("2", second) + "]"))
		if got.body.Tenant != want || got.body.EventID != "" {
			t.Errorf("of b and %s: %s", second, got.Body)
		}
	}
}

// lastLine is the last line that was logged.
func (w *world) lastLine(t *testing.T) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatal(err)
	}
	return line
}
