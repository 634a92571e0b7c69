// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// kept is an edge.Producer.
type kept []*kgo.Record

func (k *kept) ProduceAll(_ context.Context, records []*kgo.Record) error {
	*k = append(*k, records...)
	return nil
}

// edgeWith is an edge with one built-in provider and one secret.
func edgeWith(t *testing.T, name, key string, at time.Time) (*edge.Handler, *kept) {
	t.Helper()
	return edgeFrom(t, "", name, key, at)
}

// edgeFrom is edgeWith with a folder of definitions.
func edgeFrom(t *testing.T, dir, name, key string, at time.Time) (*edge.Handler, *kept) {
	t.Helper()
	all, err := provider.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	catalog := provider.Catalog{name: all[name]}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := verify.NewKeyring([]secret.Entry{{Pair: secret.Pair{Tenant: edge.DefaultTenant, Provider: name}, Secret: secret.Secret(key)}}, verifiers, nil)
	if err != nil {
		t.Fatal(err)
	}
	stored := &kept{}
	h, err := edge.New(edge.Config{
		Setup: edge.Fixed(edge.NewSetup(catalog, verifiers, ring)), Producer: stored, RawTopic: "raw", MaxBody: 1 << 20, MaxInFlight: 1,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, stored
}

// send has a shell read the printed command, with a function in place of curl,
// and sends what curl would.
func send(t *testing.T, h http.Handler, command string) *httptest.ResponseRecorder {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `curl() { for a; do printf '%s\0' "$a"; done; }; `+command).Output()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	method, url, header, body := http.MethodPost, "", http.Header{}, ""
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-sS", "-i":
		case "-X":
			i++
			method = args[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Add(name, value)
		case "--data-binary":
			i++
			data, err := os.ReadFile(strings.TrimPrefix(args[i], "@"))
			if err != nil {
				t.Fatal(err)
			}
			body = string(data)
		case "--data-raw":
			i++
			body = args[i]
		default:
			url = args[i]
		}
	}
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header = header
	if strings.HasPrefix(url, "https:") {
		r.TLS = &tls.ConnectionState{}
	}
	// A server sees no scheme and host in the request line.
	r.URL.Scheme, r.URL.Host = "", ""
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestSignedRequestsAreAccepted(t *testing.T) {
	const nasty = `{"id":"it's \"$HOME\" ` + "`x`" + ` \\ ü","type":"a","data":{"id":"1"}}`
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	privatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	cases := map[string]struct {
		provider, secret, configured, body string
		args                               []string
	}{
		"time in the signature's header": {"stripe", "whsec_'x", "", nasty, nil},
		"headers":                        {"github", "s3cret", "", nasty, []string{"--header", "X-GitHub-Event:push", "--header", "X-GitHub-Delivery: it's one"}},
		"base64":                         {"shopify", "s3cret", "", nasty, []string{"--header=X-Shopify-Topic:orders/create"}},
		"signed id":                      {"standard-webhooks", "whsec_c29tZXRoaW5nIHNlY3JldA==", "", nasty, nil},
		"signed URL":                     {"square", "s3cret", "", nasty, []string{"--url", "https://hooks.example.com/webhooks/square?a='b'"}},
		"form":                           {"twilio", "s3cret", "", "MessageSid=SM1&MessageStatus=sent&AccountSid=AC1", nil},
		"token":                          {"gitlab", "to'ken", "", nasty, nil},
		"key pair":                       {"discord", privatePEM, hex.EncodeToString(public), `{"type":1,"event":{"type":"X"}}`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"a body's.json": c.body, "secret": "# The first.\n\n" + c.secret + "\n"})
			if c.configured == "" {
				c.configured = c.secret
			}
			args := append([]string{
				"sign", "--provider", c.provider, "--secret-file", filepath.Join(dir, "secret"),
				"--body", filepath.Join(dir, "a body's.json"), "--at", noon.Format(time.RFC3339),
			}, c.args...)
			r := ingest(t, args...)
			r.want(t, 0, "curl -sS -i ")
			if shows := strings.Contains(r.out, strings.ReplaceAll(c.secret, "'", `'\''`)); shows != (name == "token") {
				t.Errorf("the secret shows: %v", shows)
			}
			h, stored := edgeWith(t, c.provider, c.configured, noon)
			if rec := send(t, h, r.out); rec.Code > 299 {
				t.Errorf("answered %d: %s\n%s", rec.Code, rec.Body, r.out)
			}
			if len(*stored) != 1 || !bytes.Equal((*stored)[0].Value, []byte(c.body)) {
				t.Errorf("stored %d records", len(*stored))
			}
			args[2], args[4] = c.provider, filepath.Join(write(t, map[string]string{"other": "whsec_b3RoZXIgdGhpbmc="}), "other")
			if name == "key pair" {
				return
			}
			if rec := send(t, h, ingest(t, args...).out); rec.Code != http.StatusUnauthorized {
				t.Errorf("signed with another secret, answered %d", rec.Code)
			}
		})
	}
}

func TestSignFromStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = old })
	const body = "@{\"id\":\"it's\"}\n"
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	res := ingest(t, "sign", "--provider=shopify", "--secret=s3cret", "--body=-")
	res.want(t, 0, "shopify also refers to X-Shopify-Event-Id")
	h, stored := edgeWith(t, "shopify", "s3cret", time.Now())
	if rec := send(t, h, res.out); rec.Code != http.StatusAccepted {
		t.Errorf("answered %d: %s\n%s", rec.Code, rec.Body, res.out)
	}
	if len(*stored) != 1 || string((*stored)[0].Value) != body {
		t.Errorf("stored %d records", len(*stored))
	}
}

func TestSignSaysWhatItCannot(t *testing.T) {
	file := filepath.Join(write(t, map[string]string{"b": "{}", "empty": "# none\n"}), "b")
	for want, args := range map[string][]string{
		"only the provider can sign":       {"--provider=aws-sns", "--secret=x"},
		"the signature is part of":         {"--provider=mailgun", "--secret=x"},
		`there is no provider "x-y", only`: {"--provider=x-y", "--secret=x"},
		`"/relative" is not absolute`:      {"--provider=stripe", "--secret=x", "--url=/relative"},
		`"nonsense" is not name:value`:     {"--provider=stripe", "--secret=x", "--header=nonsense"},
		"empty holds no secret":            {"--provider=stripe", "--secret-file=" + filepath.Join(filepath.Dir(file), "empty")},
	} {
		ingest(t, append([]string{"sign", "--body", file}, args...)...).want(t, 1, want)
	}
	ingest(t, "sign", "--body", file, "--provider=stripe").want(t, 2, "--secret")
	ingest(t, "sign", "--body", file, "--provider=stripe", "--secret=x", "--secret-file="+file).want(t, 2, "--secret")
}
