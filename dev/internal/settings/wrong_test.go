// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/service"
)

// patience is how long a program may take to refuse a setting. It decides only
// where one does not.
const patience = 20 * time.Second

func repeated(s string, n int) string { return strings.Repeat(s, n) }

// TestWrongSettings gives every program wrong values of each of its settings, one
// at a time. It must end at once as wrong usage, with one line that names the
// variable and no secret.
func TestWrongSettings(t *testing.T) {
	dir, paths := build(t), newPaths(t)
	var tried, faults atomic.Int64
	t.Run("programs", func(t *testing.T) {
		for _, p := range programs {
			for _, name := range p.settings(t, dir) {
				list, known := cases[name]
				if !known {
					t.Errorf("%s: no wrong value of %s is tried: add some", &p, name)
				}
				t.Run(p.String()+"/"+name, func(t *testing.T) {
					t.Parallel()
					for _, w := range list {
						tried.Add(1)
						if problem := p.refuses(t, dir, name, w, paths); problem != "" {
							faults.Add(1)
							t.Errorf("%s=%.60q %v: %s", name, w.value, w.with, problem)
						}
					}
				})
			}
		}
	})
	t.Logf("%d wrong settings tried, %d not refused as they should be", tried.Load(), faults.Load())
}

// refuses tries one wrong setting and says what is wrong with the answer.
func (p *program) refuses(t *testing.T, dir, name string, w wrong, paths *strings.Replacer) string {
	t.Helper()
	env := map[string]string{"HOOKSTREAM_BROKERS": "127.0.0.1:1", "HOOKSTREAM_REGISTRY_URL": "http://127.0.0.1:1"}
	maps.Copy(env, p.env)
	maps.Copy(env, w.with)
	env[name] = w.value
	for n, v := range env {
		env[n] = paths.Replace(v)
	}
	got := p.run(t, dir, env, patience)
	said := got.stderr
	switch {
	case !got.ended:
		return "it goes on; it said " + shortened(said)
	case strings.Contains(got.out+said, "panic"), strings.Contains(said, "goroutine "):
		return "it panics: " + shortened(said)
	case strings.Contains(got.out+said, "hunter"), strings.Contains(got.out+said, "ter2"):
		return "it prints a secret: " + shortened(said)
	case got.code != service.ExitUsage:
		return "exit code is not 2: " + shortened(said)
	case strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, p.name+": "):
		return "it does not say one line: " + shortened(said)
	case !strings.Contains(said, name):
		return "it does not name the variable: " + shortened(said)
	}
	for _, leak := range leaks {
		if strings.Contains(said, leak) {
			return "it speaks of Go, " + leak + ": " + shortened(said)
		}
	}
	return ""
}

// leaks are what Go's own errors say and no reader should have to know.
var leaks = []string{"strconv", "invalid syntax", "time: ", "slog: ", "envar", "64 bit int", "32 bit", "16 bit", "parse \"", "net/url", "ParsePrefix", "reflect", "x509:", "tls: ", "asn1"}

func shortened(s string) string {
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return strings.ReplaceAll(s, "\n", "⏎")
}

// newPaths writes the files that the cases name.
func newPaths(t *testing.T) *strings.Replacer {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := certificate(t)
	return strings.NewReplacer(
		"{dir}", dir, "{missing}", filepath.Join(dir, "missing"), "{garbage}", write("garbage", []byte("- no\n: such: thing\n")),
		"{cert}", write("cert.pem", cert), "{key}", write("key.pem", key),
		"{tokens}", write("tokens", []byte("alice "+repeated("0", 64)+" read\n")),
	)
}

// certificate is a self-signed one and its key.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
