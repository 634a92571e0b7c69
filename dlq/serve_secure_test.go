// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
)

const issuer = "https://id.example.com"

// TestAPIOverTLSTakesTokensOfAnIssuer calls the API as an operator of a company
// does: over TLS, with a token of the company's own issuer, which says who it was.
func TestAPIOverTLSTakesTokensOfAnIssuer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &apiWorld{world: newWorld(t), logs: &runtest.Output{}}
	w.produce(w.letter(1).Record(w.cfg.Topics.DeadLetters))
	cfg := serveConfig(w.world)
	cfg.API.OIDCIssuer, cfg.API.OIDCAudience, cfg.API.OIDCKeys = issuer, "dlq", keySet(t, key)
	cfg.API.OIDCClaim, cfg.API.OIDCSubject = "scope", "sub"
	cfg.API.OIDCScopes = map[string]auth.Scope{"dlq:read": auth.Read, "dlq:discard": auth.Discard}
	var trusted *x509.CertPool
	cfg.API.TLSCert, cfg.API.TLSKey, trusted = certificate(t)
	w.startWith(cfg)
	w.base = "https://" + w.svc.Address()
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(w.client.CloseIdleConnections)

	w.token = signed(t, key, "alice", "dlq:read")
	if listed := w.list(""); len(listed.Items) != 1 {
		t.Fatalf("listed %d dead letters, want 1", len(listed.Items))
	}
	discard := object{"ids": []string{w.list("").Items[0].ID}, "why": "tried out"}
	want[object](t, w.call("", http.MethodPost, "/v1/discards", discard), http.StatusForbidden)
	w.token = signed(t, key, "bob", "dlq:read dlq:discard")
	started := want[serve.Operation](t, w.call("", http.MethodPost, "/v1/discards", discard), http.StatusAccepted)
	w.follow(started.ID)
	history := want[struct{ Items []struct{ By, Action string } }](t, w.call("", http.MethodGet, "/v1/history", nil), http.StatusOK).Items
	if len(history) != 1 || history[0].By != "oidc/bob" || history[0].Action != string(record.Discarded) {
		t.Errorf("history tells %v", history)
	}

	w.token = signed(t, key, "mallory", "dlq:read") + "x"
	want[object](t, w.call("", http.MethodGet, "/v1/stats", nil), http.StatusUnauthorized)
}

// keySet publishes the key as an issuer does.
func keySet(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Use: "sig", Algorithm: string(jose.ES256)}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func signed(t *testing.T, key *ecdsa.PrivateKey, subject, scope string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(object{
		"iss": issuer, "aud": "dlq", "sub": subject, "scope": scope, "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// certificate writes a certificate for the loopback address and its key.
func certificate(t *testing.T) (cert, key string, trusted *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certPEM)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, text := range map[string][]byte{cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, trusted
}
