// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
)

// foreignVector is a signature vector from a provider's own test suite.
type foreignVector struct {
	Provider string            `json:"provider"`
	Note     string            `json:"note"`
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     []byte            `json:"body_base64"`
	Secret   string            `json:"secret"`
	Secrets  []string          `json:"secrets"`
	// NowUnix is null where the scheme has no time.
	NowUnix *int64 `json:"now_unix"`
	Expect  string `json:"expect"`
	// SigHeader is the header that the suite puts the signature in.
	SigHeader string `json:"sig_header"`
}

// TestProvidersOwnVectors runs vectors that are not part of this repository:
// $HOOKSTREAM_PROVIDER_DATA/vectors.jsonl.
func TestProvidersOwnVectors(t *testing.T) {
	dir := os.Getenv("HOOKSTREAM_PROVIDER_DATA")
	if dir == "" {
		t.Skip("HOOKSTREAM_PROVIDER_DATA is not set")
	}
	f, err := os.Open(filepath.Join(dir, "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ran, unknown := 0, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var v foreignVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		now := noon
		if v.NowUnix != nil {
			now = time.Unix(*v.NowUnix, 0)
		}
		w := newWorld(t, func(c *Config) { c.Now = func() time.Time { return now } })
		p, ok := w.providers[v.Provider]
		if !ok {
			unknown++
			continue
		}
		if v.SigHeader != "" && !strings.EqualFold(v.SigHeader, p.scheme.SignatureHeader()) && v.Expect == "valid" {
			t.Logf("line %d: %s in %s is not accepted by design, only %s", n, v.Provider, v.SigHeader, p.scheme.SignatureHeader())
			continue
		}
		w.cfg.Keys = v.keys(t, w)
		ran++
		if got := w.do(v.request(t)).Code; (got == http.StatusAccepted) != (v.Expect == "valid") {
			t.Errorf("line %d: %s %q: answered %d, expected %s: %s", n, v.Provider, v.Note, got, v.Expect, w.log)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if ran == 0 {
		t.Error("no vector was of a provider with a definition")
	}
	t.Logf("%d vectors ran, %d are of providers without a definition", ran, unknown)
}

func (v *foreignVector) keys(t *testing.T, w *world) *verify.Keyring {
	t.Helper()
	secrets := v.Secrets
	if len(secrets) == 0 {
		secrets = []string{v.Secret}
	}
	var entries []secret.Entry
	for _, s := range secrets {
		if s == "" {
			s = "whsec_c29tZXRoaW5n" // the vector fails before any secret counts
		}
		entries = append(entries, secret.Entry{Pair: secret.Pair{Tenant: DefaultTenant, Provider: v.Provider}, Secret: secret.Secret(s), Origin: v.Note})
	}
	ring, err := verify.NewKeyring(entries, w.cfg.Schemes)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func (v *foreignVector) request(t *testing.T) *http.Request {
	t.Helper()
	u, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(v.Method, "/webhooks/"+v.Provider+"?"+u.RawQuery, strings.NewReader(string(v.Body)))
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	return r
}
