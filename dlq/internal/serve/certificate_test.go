// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pemFiles are where a certificate and its key are.
type pemFiles struct{ cert, key string }

// issue writes a certificate that ends at a time, and its key.
func (f pemFiles) issue(t *testing.T, ends time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	f.write(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func (pemFiles) write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestARefusedRenewalIsToldAndChangesNothing: read for each handshake, files that
// do not fit would end every connection, and nothing would say so.
func TestARefusedRenewalIsToldAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	files := pemFiles{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	soon, later := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(48*time.Hour).Truncate(time.Second)
	files.issue(t, soon)
	var logged bytes.Buffer
	c, err := loadCertificate(files.cert, files.key, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	served := func(want time.Time) {
		t.Helper()
		for range 3 {
			c.Look(t.Context())
		}
		got, err := c.tls().GetCertificate(nil)
		if err != nil || !got.Leaf.NotAfter.Equal(want) || !c.ends().Equal(want) {
			t.Errorf("serves one that ends %v, tells %v, %v; want %v", got.Leaf.NotAfter, c.ends(), err, want)
		}
	}
	served(soon)
	files.write(t, files.key, []byte("no key"))
	served(soon)
	if n := strings.Count(logged.String(), "HOOKSTREAM_DLQ_TLS_KEY_FILE"); n != 1 {
		t.Errorf("complained %d times:\n%s", n, logged.String())
	}
	files.issue(t, later)
	served(later)
}

func TestACertificateThatCannotBeReadIsAnErrorAtStart(t *testing.T) {
	_, err := loadCertificate("nowhere.crt", "nowhere.key", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_DLQ_TLS_CERT_FILE") {
		t.Errorf("got %v", err)
	}
}
