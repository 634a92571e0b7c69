// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/providertest"
)

var (
	// acmeIdentity is of a provider of these tests, signedAcme signs too.
	acmeIdentity = providertest.Head + providertest.Identity("id")
	signedAcme   = acmeIdentity + providertest.Verify
)

const acmeKey = "opensesame"

// acmeRequest is one that acme signed.
func acmeRequest(body string) *http.Request {
	r := post("/webhooks/acme", body)
	r.Header.Set(providertest.SignatureHeader, providertest.Sign(acmeKey, body))
	return r
}

// shaken is what a handshake must give.
type shaken struct {
	status            int
	contentType, body string
	stored            int
}

func (want shaken) check(t *testing.T, w *world, got *answered) {
	t.Helper()
	if got.Code != want.status || want.status == http.StatusOK && (got.Body.String() != want.body || got.Header().Get("Content-Type") != want.contentType) {
		t.Errorf("got %d %s %q, want %d %s %q", got.Code, got.Header().Get("Content-Type"), got.Body, want.status, want.contentType, want.body)
	}
	if want.body != "" && got.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser may guess what the answer is")
	}
	if n := w.kept.count(); n != want.stored {
		t.Errorf("%d records were stored, want %d", n, want.stored)
	}
	if want.status == http.StatusUnauthorized {
		got.expect(t, want.status, "invalid-signature")
	}
}

const (
	text = "text/plain"
	typ  = "application/json"
)

// TestHandshakes are those of the providers that have any, each in the words of
// a definition.
func TestHandshakes(t *testing.T) {
	const (
		slack  = `{name: url-verification, unverified: true, when: {body.type: url_verification}, answer: {content_type: text/plain, body: "{body.challenge}"}}`
		quoted = `{name: url-verification, unverified: true, when: {body.type: url_verification}, answer: {content_type: application/json, body: '{"challenge":"{body.challenge}"}'}}`
		meta   = `{name: subscribe, method: GET, when: {query.hub.mode: subscribe}, token: "{query.hub.verify_token}", answer: {content_type: text/plain, body: "{query.hub.challenge}"}}`
		zoom   = `{name: url-validation, when: {body.event: endpoint.url_validation}, answer: {content_type: application/json, body: '{"plainToken":"{body.payload.plainToken}","encryptedToken":"{body.payload.plainToken|sign}"}'}}`
		okta   = `{name: one-time, method: GET, when: {header.X-Okta-Verification-Challenge: "*"}, answer: {content_type: application/json, body: '{"verification":"{header.X-Okta-Verification-Challenge}"}'}}`
		graph  = `{name: validation, unverified: true, when: {query.validationToken: "*"}, answer: {content_type: text/plain, body: "{query.validationToken}"}}`
		crc    = `{name: crc, method: GET, when: {query.crc_token: "*"}, answer: {content_type: application/json, body: '{"response_token":"sha256={query.crc_token|sign}"}'}}`
		ping   = `{name: ping, when: {header.X-GitHub-Event: ping}, answer: {status: 200}}`
		topic  = `{name: ping, when: {body.topic: ping}, answer: {status: 200}}`
	)
	get := func(target string, header ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	signed := hex.EncodeToString(sum(acmeKey, "qgg8"))
	cases := map[string]struct {
		shake   string
		request *http.Request
		want    shaken
	}{
		"Slack":                          {slack, post("/webhooks/acme", `{"type":"url_verification","challenge":"3eZb"}`), shaken{200, text, "3eZb", 0}},
		"Slack, as JSON":                 {quoted, post("/webhooks/acme", `{"type":"url_verification","challenge":"a\"},{\"b\u2028"}`), shaken{200, typ, `{"challenge":"a\"},{\"b` + "\u2028" + `"}`, 0}},
		"Slack, a webhook":               {slack, acmeRequest(`{"type":"message","id":"1"}`), shaken{202, "", "", 1}},
		"Slack, a webhook not signed":    {slack, post("/webhooks/acme", `{"type":"message","id":"1"}`), shaken{401, "", "", 0}},
		"Slack, too long to repeat":      {slack, post("/webhooks/acme", `{"type":"url_verification","challenge":"`+strings.Repeat("x", maxHandshake+1)+`"}`), shaken{401, "", "", 0}},
		"Slack, no challenge":            {slack, post("/webhooks/acme", `{"type":"url_verification"}`), shaken{401, "", "", 0}},
		"Slack, not configured":          {slack, post("/webhooks/nobody/acme", `{"type":"url_verification","challenge":"3eZb"}`), shaken{404, "", "", 0}},
		"Meta":                           {meta, get("/webhooks/acme?hub.mode=subscribe&hub.verify_token=friend&hub.challenge=1158201444"), shaken{200, text, "1158201444", 0}},
		"Meta, markup":                   {meta, get("/webhooks/acme?hub.mode=subscribe&hub.verify_token=friend&hub.challenge=%3Cscript%3E"), shaken{200, text, "<script>", 0}},
		"Meta, another token":            {meta, get("/webhooks/acme?hub.mode=subscribe&hub.verify_token=foe&hub.challenge=1"), shaken{401, "", "", 0}},
		"Meta, the secret as token":      {meta, get("/webhooks/acme?hub.mode=subscribe&hub.verify_token=" + acmeKey + "&hub.challenge=1"), shaken{401, "", "", 0}},
		"Meta, no token":                 {meta, get("/webhooks/acme?hub.mode=subscribe&hub.challenge=1"), shaken{401, "", "", 0}},
		"Meta, another mode":             {meta, get("/webhooks/acme?hub.mode=unsubscribe&hub.verify_token=friend&hub.challenge=1"), shaken{405, "", "", 0}},
		"Zoom":                           {zoom, acmeRequest(`{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8"}}`), shaken{200, typ, `{"plainToken":"qgg8","encryptedToken":"` + signed + `"}`, 0}},
		"Zoom, not signed":               {zoom, post("/webhooks/acme", `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8"}}`), shaken{401, "", "", 0}},
		"Okta":                           {okta, get("/webhooks/acme", "X-Okta-Verification-Challenge", `once"`), shaken{200, typ, `{"verification":"once\""}`, 0}},
		"Okta, no challenge":             {okta, get("/webhooks/acme"), shaken{405, "", "", 0}},
		"Graph":                          {graph, post("/webhooks/acme?validationToken=Validation%3A+Testing", ""), shaken{200, text, "Validation: Testing", 0}},
		"Graph, a webhook without token": {graph, post("/webhooks/acme", ""), shaken{401, "", "", 0}},
		"X":                              {crc, get("/webhooks/acme?crc_token=qgg8"), shaken{200, typ, `{"response_token":"sha256=` + signed + `"}`, 0}},
		"GitHub":                         {ping, with(acmeRequest(`{"zen":"x"}`), "X-GitHub-Event", "ping"), shaken{200, "", "", 0}},
		"GitHub, not signed":             {ping, with(post("/webhooks/acme", `{"zen":"x"}`), "X-GitHub-Event", "ping"), shaken{401, "", "", 0}},
		"GitHub, an event":               {ping, with(acmeRequest(`{"id":"1"}`), "X-GitHub-Event", "push"), shaken{202, "", "", 1}},
		"Intercom":                       {topic, acmeRequest(`{"topic":"ping"}`), shaken{200, "", "", 0}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, define(t, "acme", signedAcme+"handshakes:\n  - "+c.shake), "default/acme="+acmeKey+";default/acme.verify-token=friend")
			c.want.check(t, w, w.do(c.request))
		})
	}
}

// TestXero: its intent to receive wants 401 for a wrong signature, and 200 for a
// right one over a batch of nothing.
func TestXero(t *testing.T) {
	def := define(t, "acme", signedAcme+"body: {batch: [events.*]}\nanswer: {status: 200}")
	body := `{"events":[],"entropy":"S0m3r4nd0mt3xt"}`
	w := newWorldOf(t, def, "default/acme="+acmeKey)
	shaken{status: 200}.check(t, w, w.do(acmeRequest(body)))
	shaken{status: 401}.check(t, w, w.do(with(acmeRequest(body), "X-Acme-Signature", strings.Repeat("0", 64))))
	shaken{status: 401}.check(t, w, w.do(post("/webhooks/acme", body)))
}

// TestDiscord signs with Ed25519, and probes an endpoint with wrong signatures
// for as long as it is in use.
func TestDiscord(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	def := define(t, "acme", acmeIdentity+`
verify:
  scheme: ed25519
  encoding: hex
  signature: {header: X-Signature-Ed25519}
  timestamp: {header: X-Signature-Timestamp, unit: s, tolerance: 5m}
  signed: "{timestamp}{body}"
  secret: {encoding: hex}
handshakes:
  - {name: ping, when: {body.type: "1"}, answer: {content_type: application/json, body: '{"type":1}'}}
`)
	w := newWorldOf(t, def, "default/acme="+hex.EncodeToString(public))
	signed := func(body, signedBody string) *http.Request {
		at := "1767268800"
		r := post("/webhooks/acme", body)
		r.Header.Set("X-Signature-Timestamp", at)
		r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, []byte(at+signedBody))))
		return r
	}
	shaken{200, typ, `{"type":1}`, 0}.check(t, w, w.do(signed(`{"type":1}`, `{"type":1}`)))
	shaken{status: 401}.check(t, w, w.do(signed(`{"type":1}`, `{"type":2}`)))
	shaken{status: 401}.check(t, w, w.do(with(signed(`{"type":1}`, `{"type":1}`), "X-Signature-Ed25519", "00")))
	shaken{status: 202, stored: 1}.check(t, w, w.do(signed(`{"type":"x","id":"1"}`, `{"type":"x","id":"1"}`)))
}

// confirmer is a Confirmer that notes where it was sent.
type confirmer struct {
	allowed bool
	err     error
	urls    []string
}

func (c *confirmer) Confirms() bool { return c.allowed }

func (c *confirmer) Confirm(_ context.Context, url string) error {
	c.urls = append(c.urls, url)
	return c.err
}

// TestConfirmation is that of AWS SNS.
func TestConfirmation(t *testing.T) {
	def := define(t, "acme", signedAcme+`
handshakes:
  - name: subscription
    when: {body.type: SubscriptionConfirmation}
    action: confirm
    url: "{body.url}"
    hosts: ["sns.*.amazonaws.com"]
    answer: {status: 200}
`)
	body := func(url string) string {
		return `{"type":"SubscriptionConfirmation","id":"1","url":"` + url + `"}`
	}
	const genuine = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0ken"
	cases := map[string]struct {
		url       string
		confirmer *confirmer
		want      shaken
		confirmed bool
	}{
		"allowed":           {genuine, &confirmer{allowed: true}, shaken{status: 200}, true},
		"not allowed":       {genuine, &confirmer{}, shaken{status: 202, stored: 1}, false},
		"no answer":         {genuine, &confirmer{allowed: true, err: errors.New("away")}, shaken{status: 503}, true},
		"another host":      {"https://sns.eu-west-1.amazonaws.com.evil.example/", &confirmer{allowed: true}, shaken{status: 202, stored: 1}, false},
		"not https":         {"http://sns.eu-west-1.amazonaws.com/", &confirmer{allowed: true}, shaken{status: 202, stored: 1}, false},
		"user in front":     {"https://sns.eu-west-1.amazonaws.com@evil.example/", &confirmer{allowed: true}, shaken{status: 202, stored: 1}, false},
		"the machine's own": {"https://169.254.169.254/latest/meta-data", &confirmer{allowed: true}, shaken{status: 202, stored: 1}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, def, "default/acme="+acmeKey, func(cfg *Config) { cfg.Confirmer = c.confirmer })
			c.want.check(t, w, w.do(acmeRequest(body(c.url))))
			if confirmed := len(c.confirmer.urls) == 1 && c.confirmer.urls[0] == c.url; confirmed != c.confirmed {
				t.Errorf("requested %v", c.confirmer.urls)
			}
			if strings.Contains(w.log.String(), "t0ken") {
				t.Errorf("the log tells the token: %s", w.log)
			}
		})
	}
	t.Run("not signed", func(t *testing.T) {
		sent := &confirmer{allowed: true}
		w := newWorldOf(t, def, "default/acme="+acmeKey, func(cfg *Config) { cfg.Confirmer = sent })
		shaken{status: 401}.check(t, w, w.do(post("/webhooks/acme", body(genuine))))
		if len(sent.urls) > 0 {
			t.Errorf("requested %v for whoever asked", sent.urls)
		}
	})
}

// capturer is a Capturer of one pair.
type capturer struct {
	pair, secret string
	err          error
}

func (c *capturer) Captures(tenant, provider string) bool {
	return tenant+"/"+provider == c.pair && c.secret == ""
}

func (c *capturer) Capture(_, _, secret string) error {
	if c.err == nil {
		c.secret = secret
	}
	return c.err
}

// TestCapture is the secret that Notion sends to a new endpoint.
func TestCapture(t *testing.T) {
	def := define(t, "acme", signedAcme+`
handshakes:
  - {name: verification-token, unverified: true, when: {body.verification_token: "*"}, action: capture, token: "{body.verification_token}", answer: {status: 200}}
`)
	const body = `{"verification_token":"secret_1"}`
	c := &capturer{pair: "default/acme"}
	w := newWorldOf(t, def, "", func(cfg *Config) { cfg.Capturer = c })
	shaken{status: 404}.check(t, w, w.do(post("/webhooks/nobody/acme", body)))
	shaken{status: 404}.check(t, w, w.do(post("/webhooks/acme", `{"id":"1"}`)))
	shaken{status: 200}.check(t, w, w.do(post("/webhooks/acme", body)))
	if c.secret != "secret_1" {
		t.Errorf("captured %q", c.secret)
	}
	if strings.Contains(w.log.String(), "secret_1") {
		t.Errorf("the log tells the secret: %s", w.log)
	}
	shaken{status: 404}.check(t, w, w.do(post("/webhooks/acme", body)))

	c = &capturer{pair: "default/acme"}
	w = newWorldOf(t, def, "default/acme="+acmeKey, func(cfg *Config) { cfg.Capturer = c })
	shaken{status: 401}.check(t, w, w.do(post("/webhooks/acme", body)))
	if c.secret != "" {
		t.Error("anyone can replace the secret of an endpoint")
	}
}
