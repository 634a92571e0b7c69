// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// foreignVector is a signature vector from a provider's own test suite.
type foreignVector struct {
	Provider string            `json:"provider"`
	Scheme   string            `json:"scheme"`
	Note     string            `json:"note"`
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     []byte            `json:"body_base64"`
	Secret   string            `json:"secret"`
	Secrets  []string          `json:"secrets"`
	// WebhookID is PayPal's, which is signed and no secret.
	WebhookID string `json:"webhook_id"`
	// Certificate is what the pinned URL serves; SNS vectors have it as Secret.
	Certificate string `json:"cert_pem"`
	// NowUnix is null where the suite does not look at the time.
	NowUnix *int64 `json:"now_unix"`
	Expect  string `json:"expect"`
	// SigHeader, Algorithm, Encoding and Prefix describe an HMAC over the body.
	SigHeader string `json:"sig_header"`
	Algorithm string `json:"algo"`
	Encoding  string `json:"encoding"`
	Prefix    string `json:"prefix"`
}

// TestProvidersOwnVectors runs vectors that are not part of this repository:
// every line of $HOOKSTREAM_PROVIDER_DATA/vectors.jsonl.
func TestProvidersOwnVectors(t *testing.T) {
	dir := os.Getenv("HOOKSTREAM_PROVIDER_DATA")
	if dir == "" {
		t.Skip("HOOKSTREAM_PROVIDER_DATA is not set")
	}
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for i, v := range foreignVectors(t, filepath.Join(dir, "vectors.jsonl")) {
		t.Run(fmt.Sprintf("line %d %s", i+1, v.Provider), func(t *testing.T) {
			v.run(t, catalog)
			ran[v.Provider]++
		})
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(ran)) {
		t.Logf("%4d %s", ran[name], name)
		total += ran[name]
	}
	t.Logf("%4d vectors", total)
}

func foreignVectors(t *testing.T, file string) (all []*foreignVector) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		v := &foreignVector{}
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			t.Fatalf("line %d: %v", len(all)+1, err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d vectors, error %v", len(all), err)
	}
	return all
}

func (v *foreignVector) run(t *testing.T, catalog provider.Catalog) {
	def := v.definition(t, catalog)
	now := noon
	if v.NowUnix != nil {
		now = time.Unix(*v.NowUnix, 0)
	}
	verifiers, err := verify.CompileAll(provider.Catalog{def.Provider: def}, v.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := verify.NewKeyring(v.secrets(def), verifiers, verify.AllowAll)
	if err != nil {
		t.Fatal(err)
	}
	r, public := v.request(t, def)
	w := newWorldOf(t, provider.Catalog{def.Provider: def}, "", func(c *Config) {
		c.Setup = Fixed(NewSetup(provider.Catalog{def.Provider: def}, verifiers, keys))
		c.Now = func() time.Time { return now }
		c.PublicURLs = map[string]string{"default/" + def.Provider: public}
	})
	got := w.do(r)
	accepted := got.Code >= 200 && got.Code < 300 && w.kept.count() > 0
	refused := got.Code == http.StatusUnauthorized
	if v.Expect == "valid" && !accepted || v.Expect == "invalid" && !refused || accepted == refused {
		t.Errorf("%s %q: answered %d and stored %d, want it %s: %s", v.Scheme, v.Note, got.Code, w.kept.count(), v.Expect, got.Body)
	}
}

// definition is the catalogue's, without checks that the vector's suite does not
// make; for an HMAC in a header that the provider does not use, or no longer, it
// is made up.
func (v *foreignVector) definition(t *testing.T, catalog provider.Catalog) *provider.Definition {
	t.Helper()
	known, ok := catalog[v.Provider]
	isPlain := v.Scheme == "hub-signature" || v.Scheme == "hmac-body"
	if isPlain && (!ok || !strings.EqualFold(known.Verify[0].Signature.Header, v.SigHeader) && v.Expect == "valid") {
		return v.madeUp(t)
	}
	if !ok {
		t.Fatalf("no definition of %s", v.Provider)
	}
	def := *known
	def.Verify = slices.Clone(known.Verify)
	for i := range def.Verify {
		if at := def.Verify[i].Timestamp; at != nil && v.NowUnix == nil {
			unchecked := *at
			unchecked.Tolerance = 0
			def.Verify[i].Timestamp = &unchecked
		}
	}
	if !slices.Contains(def.Methods, v.Method) {
		def.Methods = append(slices.Clone(def.Methods), v.Method)
		def.Body.Formats = append(slices.Clone(def.Body.Formats), provider.Empty)
	}
	return &def
}

// madeUp is an HMAC over the body as the vector describes it.
func (v *foreignVector) madeUp(t *testing.T) *provider.Definition {
	t.Helper()
	algorithm, encoding, prefix := v.Algorithm, v.Encoding, v.Prefix
	if algorithm == "" {
		algorithm, _, _ = strings.Cut(v.Headers[v.SigHeader], "=")
		encoding, prefix = "hex", algorithm+"="
	}
	return define(t, "made-up", fmt.Sprintf(`
provider: made-up
title: Made up
docs: https://acme.example
revision: 1
verify:
  scheme: hmac
  algorithm: %s
  encoding: %s
  signature: {header: %s, prefix: "%s"}
  signed: "{body}"
  secret: {encoding: raw}
identity:
  id: [{from: "{body.id}"}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.id}"}]
`, algorithm, encoding, v.SigHeader, prefix))["made-up"]
}

func (v *foreignVector) secrets(def *provider.Definition) []secret.Entry {
	secrets := v.Secrets
	switch {
	case len(secrets) > 0:
	case v.WebhookID != "":
		secrets = []string{v.WebhookID}
	case v.Secret == "" || v.certificate() != "":
		secrets = []string{"whsec_c29tZXRoaW5n"} // the vector fails before any secret counts
	default:
		secrets = []string{v.Secret}
	}
	var entries []secret.Entry
	for _, s := range secrets {
		entries = append(entries, secret.Entry{Pair: secret.Pair{Tenant: DefaultTenant, Provider: def.Provider}, Secret: secret.Secret(s), Origin: v.Note})
	}
	return entries
}

func (v *foreignVector) certificate() string {
	if v.Certificate == "" && strings.HasPrefix(v.Secret, "-----BEGIN CERTIFICATE") {
		return v.Secret
	}
	return v.Certificate
}

// trust serves the vector's certificate wherever one is asked for, and trusts it:
// that of a test suite has no authority behind it any more.
func (v *foreignVector) trust(t *testing.T) verify.Trust {
	t.Helper()
	text := v.certificate()
	if text == "" {
		return verify.Trust{}
	}
	roots := x509.NewCertPool()
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(cert)
	}
	return verify.Trust{Fetcher: served(text), Roots: roots}
}

// served is a Fetcher that finds the same document everywhere.
type served string

func (s served) Fetch(context.Context, string) ([]byte, error)   { return []byte(s), nil }
func (s served) Refresh(context.Context, string) ([]byte, error) { return []byte(s), nil }

// request is the vector's, sent to the edge's own path, and the URL that it was
// signed with.
func (v *foreignVector) request(t *testing.T, def *provider.Definition) (r *http.Request, public string) {
	t.Helper()
	u, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	r = httptest.NewRequest(v.Method, "/webhooks/"+def.Provider+"?"+u.RawQuery, bytes.NewReader(v.Body))
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	if u.User != nil { // which an HTTP client sends in a header
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
	}
	u.RawQuery, u.User = "", nil
	return r, u.String()
}
