// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hookstream/hookstream/schemas/identity"
)

func TestAcceptedWebhookIsStoredAsItCame(t *testing.T) {
	w := newWorld(t)
	r := stripe(stripeBody)
	r.Header.Set("X-Correlation-Id", "req-42")
	a := w.do(r)
	a.expect(t, http.StatusAccepted, "")
	if got, want := a.Body.String(), `{"eventId":"evt_1","correlationId":"req-42"}`; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	got := w.kept.last(t)
	switch {
	case string(got.Body) != stripeBody:
		t.Errorf("body %s", got.Body)
	case got.Tenant != "default" || got.Provider != "stripe":
		t.Errorf("stored for %s/%s", got.Tenant, got.Provider)
	case got.EventID != "evt_1" || got.EventType != "customer.created" || got.BusinessKey != "cus_1" || got.IdentitySource != identity.ProviderID:
		t.Errorf("identified as %q %q %q %q", got.EventID, got.EventType, got.BusinessKey, got.IdentitySource)
	case !got.OccurredAt.Equal(time.Unix(1767268800, 0)) || !got.ReceivedAt.Equal(noon):
		t.Errorf("occurred %s, received %s", got.OccurredAt, got.ReceivedAt)
	case got.Request["stripe-signature"] != stripeSignature(stripeSecret, stripeBody, noon):
		t.Errorf("kept the request headers %v", got.Request)
	case got.ContentType != "application/json; charset=utf-8" || got.CorrelationID != "req-42" || got.Defect != "":
		t.Errorf("content type %q, correlation id %q, defect %q", got.ContentType, got.CorrelationID, got.Defect)
	}
}

func TestTenantInThePathHasItsOwnSecrets(t *testing.T) {
	w := newWorld(t)
	acme := post("/webhooks/acme/stripe", stripeBody)
	acme.Header.Set("Stripe-Signature", stripeSignature(acmeSecret, stripeBody, noon))
	w.do(acme).expect(t, http.StatusAccepted, "")
	if got := w.kept.last(t); got.Tenant != "acme" {
		t.Errorf("stored for tenant %q", got.Tenant)
	}
	foreign := post("/webhooks/acme/stripe", stripeBody)
	foreign.Header.Set("Stripe-Signature", stripeSignature(stripeSecret, stripeBody, noon))
	w.do(foreign).expect(t, http.StatusUnauthorized, "invalid-signature")
}

func TestRefusals(t *testing.T) {
	request := func(method, target, body string, header ...string) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	broken := func(err error) *http.Request {
		return httptest.NewRequest(http.MethodPost, "/webhooks/stripe", &slowBody{strings.NewReader("{"), err})
	}
	large := strings.Repeat("x", 10<<20)
	cases := map[string]struct {
		request *http.Request
		status  int
		slug    string
		// header the answer must have, as name and value.
		header [2]string
		detail string
	}{
		"another path":          {request("POST", "/", "{}"), 404, "not-found", [2]string{}, "/webhooks/{provider}"},
		"unknown provider":      {request("POST", "/webhooks/strype", "{}"), 404, "not-found", [2]string{}, ""},
		"no secret":             {request("POST", "/webhooks/svix", "{}"), 404, "not-found", [2]string{}, ""},
		"unknown tenant":        {request("POST", "/webhooks/nobody/stripe", "{}"), 404, "not-found", [2]string{}, ""},
		"GET":                   {request("GET", "/webhooks/stripe", ""), 405, "method-not-allowed", [2]string{"Allow", "POST"}, ""},
		"GET with tenant":       {request("GET", "/webhooks/acme/stripe", ""), 405, "method-not-allowed", [2]string{"Allow", "POST"}, ""},
		"another encoding":      {request("POST", "/webhooks/stripe", "{}", "Content-Encoding", "br"), 415, "unsupported-encoding", [2]string{"Accept-Encoding", "gzip, identity"}, ""},
		"no gzip":               {request("POST", "/webhooks/stripe", "{}", "Content-Encoding", "gzip"), 400, "unreadable-body", [2]string{"Connection", "close"}, ""},
		"empty body":            {request("POST", "/webhooks/stripe", ""), 401, "invalid-signature", [2]string{}, "missing_signature"},
		"10 MB, announced":      {stripe(large), 413, "too-large", [2]string{"Connection", "close"}, "1048576 bytes"},
		"10 MB, chunked":        {httptest.NewRequest("POST", "/webhooks/stripe", io.MultiReader(strings.NewReader(large))), 413, "too-large", [2]string{"Connection", "close"}, ""},
		"body too slow":         {broken(os.ErrDeadlineExceeded), 408, "request-timeout", [2]string{"Connection", "close"}, ""},
		"body breaks off":       {broken(io.ErrUnexpectedEOF), 400, "unreadable-body", [2]string{"Connection", "close"}, ""},
		"no signature":          {request("POST", "/webhooks/stripe", "{}"), 401, "invalid-signature", [2]string{"WWW-Authenticate", `Webhook-Signature realm="stripe", header="Stripe-Signature"`}, "missing_signature"},
		"wrong signature":       {request("POST", "/webhooks/stripe", "{}", "Stripe-Signature", stripeSignature("whsec_other", "{}", noon)), 401, "invalid-signature", [2]string{}, "signature_mismatch"},
		"replayed old":          {request("POST", "/webhooks/stripe", "{}", "Stripe-Signature", stripeSignature(stripeSecret, "{}", noon.Add(-time.Hour))), 401, "invalid-signature", [2]string{}, "timestamp_outside_tolerance"},
		"from the future":       {request("POST", "/webhooks/stripe", "{}", "Stripe-Signature", stripeSignature(stripeSecret, "{}", noon.Add(time.Hour))), 401, "invalid-signature", [2]string{}, "timestamp_outside_tolerance"},
		"malformed signature":   {request("POST", "/webhooks/stripe", "{}", "Stripe-Signature", "t=1,v1=xyz"), 401, "invalid-signature", [2]string{}, "malformed_signature"},
		"SHA-1 where it's not":  {request("POST", "/webhooks/github", "{}", "X-Hub-Signature", "sha1=5d61605c3feea9799210ddcb71307d4ba264225f"), 401, "invalid-signature", [2]string{}, "missing_signature"},
		"identity is no coding": {request("POST", "/webhooks/stripe", "{}", "Content-Encoding", "identity"), 401, "invalid-signature", [2]string{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.do(c.request)
			a.expect(t, c.status, c.slug)
			if !strings.Contains(a.body.Detail, c.detail) {
				t.Errorf("detail %q, want it to hold %q", a.body.Detail, c.detail)
			}
			if name := c.header[0]; name != "" && a.Header().Get(name) != c.header[1] {
				t.Errorf("header %s is %q, want %q", name, a.Header().Get(name), c.header[1])
			}
			if n := w.kept.count(); n > 0 {
				t.Errorf("%d records were produced all the same", n)
			}
			for _, s := range []string{stripeSecret, acmeSecret} {
				if strings.Contains(a.Body.String(), s) || strings.Contains(w.log.String(), s) {
					t.Errorf("the secret %s shows in %s or %s", s, a.Body, w.log)
				}
			}
			if !strings.Contains(w.log.String(), a.body.CorrelationID) {
				t.Errorf("no log line has the correlation id: %s", w.log)
			}
		})
	}
}

// TestAnswersOfUnknownsAreAlike: an answer must not tell which providers and
// tenants are configured.
func TestAnswersOfUnknownsAreAlike(t *testing.T) {
	w := newWorld(t)
	answer := func(target string) string {
		r := post(target, "{}")
		r.Header.Set("X-Correlation-Id", "same")
		return strings.ReplaceAll(w.do(r).Body.String(), target, "")
	}
	if a, b, c := answer("/webhooks/nothing"), answer("/webhooks/svix"), answer("/webhooks/nobody/stripe"); a != b || b != c {
		t.Errorf("the answers differ:\n%s\n%s\n%s", a, b, c)
	}
}

func TestNotAcknowledgedIs503(t *testing.T) {
	w := newWorld(t)
	w.kept.err = errors.New("broker away")
	a := w.do(stripe(stripeBody))
	a.expect(t, http.StatusServiceUnavailable, "not-acknowledged")
	if a.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if !strings.Contains(w.log.String(), "broker away") || strings.Contains(a.Body.String(), "broker away") {
		t.Errorf("the cause belongs in the log and not in the answer: %s, %s", w.log, a.Body)
	}
}

func TestMoreThanInFlightIsShed(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxInFlight = 2 })
	w.kept.hold = make(chan struct{})
	held := make(chan *answered, 2)
	for range 2 {
		go func() { held <- w.do(stripe(stripeBody)) }()
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(w.slots) < 2 {
		if time.Now().After(deadline) {
			t.Fatal("the first two never got their slots")
		}
		time.Sleep(time.Millisecond)
	}
	shed := w.do(stripe(stripeBody))
	shed.expect(t, http.StatusServiceUnavailable, "overloaded")
	if shed.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(w.kept.hold)
	for range 2 {
		(<-held).expect(t, http.StatusAccepted, "")
	}
	w.do(stripe(stripeBody)).expect(t, http.StatusAccepted, "")
}

func TestCorrelationID(t *testing.T) {
	w := newWorld(t)
	for _, given := range []struct{ header, id string }{
		{"X-Correlation-Id", "a"}, {"X-Request-Id", "0-9_A.z"}, {"X-Correlation-Id", strings.Repeat("x", 128)},
	} {
		r := stripe(stripeBody)
		r.Header.Set(given.header, given.id)
		a := w.do(r)
		a.expect(t, http.StatusAccepted, "")
		if a.body.CorrelationID != given.id {
			t.Errorf("%s: %s became %s", given.header, given.id, a.body.CorrelationID)
		}
	}
	for _, given := range []string{"", "two words", "line\nbreak", "ü", `"`, strings.Repeat("x", 129)} {
		r := stripe(stripeBody)
		r.Header["X-Correlation-Id"] = []string{given}
		a := w.do(r)
		a.expect(t, http.StatusAccepted, "")
		if id, err := uuid.Parse(a.body.CorrelationID); err != nil || id.Version() != 7 {
			t.Errorf("%q became %q, want a UUID version 7", given, a.body.CorrelationID)
		}
	}
}

// TestEachSecretOfAPairVerifies is a rotation: old and new deliveries cross.
func TestEachSecretOfAPairVerifies(t *testing.T) {
	w := newWorld(t)
	setup := *w.cfg.Setup()
	setup.keys = pairKeys{setup.keys.Keys("acme", "stripe"), setup.keys.Keys("default", "stripe")}
	w.cfg.Setup = Fixed(&setup)
	for _, key := range []string{acmeSecret, stripeSecret, acmeSecret} {
		r := post("/webhooks/stripe", stripeBody)
		r.Header.Set("Stripe-Signature", stripeSignature(key, stripeBody, noon))
		w.do(r).expect(t, http.StatusAccepted, "")
	}
	stored := w.kept.all(t)
	first, second, third := stored[0].Verification, stored[1].Verification, stored[2].Verification
	if first.KeyID == "" || first.KeyID == second.KeyID || first != third {
		t.Errorf("the records do not tell which secret it was: %+v, %+v, %+v", first, second, third)
	}
}
