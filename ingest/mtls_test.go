// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/evidence"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	pair := a.issue(template)
	a.cert, a.key = pair.Leaf, pair.PrivateKey
	return a
}

// issue makes a certificate, which the authority signs, or itself where the
// authority has none yet.
func (a *authority) issue(template *x509.Certificate) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, crypto.PrivateKey(key)
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(name string) *tls.Certificate {
	a.t.Helper()
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (a *authority) server() *tls.Certificate {
	a.t.Helper()
	return a.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

// save writes PEM files.
func save(t *testing.T, pair *tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// TestClientCertificates takes a provider's webhooks by its client certificate,
// from the connection to the raw record, and looks at what that proves later.
func TestClientCertificates(t *testing.T) {
	ours, theirs, stranger := newAuthority(t), newAuthority(t), newAuthority(t)
	definition := providertest.Head + "verify: {scheme: mtls}\n" + providertest.Identity("order")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, kafkatest.New(t))
	cfg.DefinitionsDir, cfg.Secrets = dir, "default/acme=sender.acme.example;default/stripe="+stripeSecret
	cfg.TLSCert, cfg.TLSKey = save(t, ours.server())
	cfg.ClientCA, _ = save(t, &tls.Certificate{Certificate: [][]byte{theirs.cert.Raw}, PrivateKey: theirs.key})
	s := start(t, cfg).waitReady()
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)

	const body = `{"id":"e1","type":"paid","order":"o1"}`
	request := func(pair *tls.Certificate, r *http.Request) (int, error) {
		t.Helper()
		conf := &tls.Config{RootCAs: roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if pair == nil {
				return &tls.Certificate{}, nil
			}
			return pair, nil // whatever CA the server names: it has to refuse
		}}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
		defer client.CloseIdleConnections()
		res, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	webhook := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Address()+"/webhooks/acme", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	for what, c := range map[string]struct {
		pair *tls.Certificate
		want int
	}{
		"the sender's":   {theirs.client("sender.acme.example"), http.StatusAccepted},
		"another name":   {theirs.client("other.acme.example"), http.StatusUnauthorized},
		"none":           {nil, http.StatusUnauthorized},
		"of a server":    {theirs.server(), 0},
		"another CA's":   {stranger.client("sender.acme.example"), 0},
		"its own signer": {(&authority{t: t}).client("sender.acme.example"), 0},
	} {
		status, err := request(c.pair, webhook())
		if status != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("a certificate: %s: answered %d, error %v, want %d", what, status, err, c.want)
		}
	}
	// Others still sign.
	if status, err := request(nil, signed(t, "https://"+s.Address(), event("1"))); status != http.StatusAccepted {
		t.Errorf("a signed webhook without a certificate: answered %d, error %v", status, err)
	}

	w := storedOf(t, &cfg, "acme")
	if string(w.Body) != body || w.EventID != "e1" || w.BusinessKey != "o1" || w.Verification.Scheme != "mtls" || w.Verification.KeyID == "" {
		t.Errorf("stored %+v", w)
	}
	verdict := verifyAgain(t, dir, cfg.Secrets, w)
	if verdict.Outcome != evidence.CannotTell || !strings.Contains(verdict.Reason, "client certificate belonged to the connection") {
		t.Errorf("verified again: %+v", verdict)
	}
}

// storedOf is the provider's one record of two.
func storedOf(t *testing.T, cfg *Config, name string) *record.Webhook {
	t.Helper()
	var found *record.Webhook
	for _, rec := range read(t, cfg, 2) {
		w, err := record.ParseWebhook(rec)
		if err != nil {
			t.Fatal(err)
		}
		if w.Provider != name {
			continue
		}
		if found != nil {
			t.Errorf("stored twice: %+v", w)
		}
		found = w
	}
	if found == nil {
		t.Fatalf("nothing of %s is stored", name)
	}
	return found
}

// verifyAgain does what ingest verify-record does.
func verifyAgain(t *testing.T, definitions string, secrets Secret, w *record.Webhook) evidence.Verdict {
	t.Helper()
	catalog, err := provider.Load(definitions)
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := secret.Load("", secrets)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := verify.NewKeyring(entries, verifiers, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker := evidence.NewChecker(catalog[w.Provider], verifiers[w.Provider])
	return checker.Check(context.Background(), w, []*record.Webhook{w}, ring.Keys(w.Tenant, w.Provider))
}
