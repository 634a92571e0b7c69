// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issued is a self-signed certificate, which is its own CA.
type issued struct{ cert, key []byte }

func issue(t *testing.T, serial int64) issued {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return issued{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// handshake returns the serial number of the server's certificate, and whether
// it knows the client.
func handshake(t *testing.T, s *Source, client *issued) (serial int64, known bool, err error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, s.TLS())
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		done <- server.HandshakeContext(t.Context())
	}()
	config := &tls.Config{InsecureSkipVerify: true} // the test looks at the serial number
	if client != nil {
		pair, err := tls.X509KeyPair(client.cert, client.key)
		if err != nil {
			t.Fatal(err)
		}
		// Whatever CA the server names: it is the server that has to refuse.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	c := tls.Client(near, config)
	if err := c.HandshakeContext(t.Context()); err != nil {
		return 0, false, err
	}
	// In TLS 1.3 the client is done before the server has seen its certificate.
	go func() { _, _ = c.Read(make([]byte, 1)) }() // takes the session ticket
	if err := <-done; err != nil {
		return 0, false, err
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), len(server.ConnectionState().VerifiedChains) > 0, nil
}

func TestChangedFilesTakeEffectAndBrokenOnesDoNot(t *testing.T) {
	dir := t.TempDir()
	files := Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	put := func(i issued) {
		write(t, files.Cert, i.cert)
		write(t, files.Key, i.key)
	}
	first, second := issue(t, 1), issue(t, 2)
	put(first)
	var logged bytes.Buffer
	s, err := Load(files, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want int64) {
		t.Helper()
		s.Look(t.Context())
		s.Look(t.Context())
		if serial, _, err := handshake(t, s, nil); err != nil || serial != want {
			t.Errorf("serves certificate %d, error %v, want %d", serial, err, want)
		}
	}
	serves(1)
	if logged.Len() > 0 {
		t.Errorf("without a change it logged %s", logged.String())
	}
	put(second)
	serves(2)
	if strings.Count(logged.String(), "are in force") != 1 {
		t.Errorf("logged %s", logged.String())
	}
	logged.Reset()
	write(t, files.Cert, first.cert) // the key is still the second's
	serves(2)
	if got := logged.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "HOOKSTREAM_TLS_CERT_FILE") {
		t.Errorf("logged %s", got)
	}
	logged.Reset()
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	serves(2)
	if !strings.Contains(logged.String(), "tls.key") {
		t.Errorf("logged %s", logged.String())
	}
	put(first)
	serves(1)
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	files := Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}
	server, client, stranger := issue(t, 1), issue(t, 2), issue(t, 3)
	write(t, files.Cert, server.cert)
	write(t, files.Key, server.key)
	write(t, files.ClientCA, client.cert)
	s, err := Load(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, known, err := handshake(t, s, nil); err != nil || known {
		t.Errorf("without a certificate: known %t, %v", known, err)
	}
	if _, known, err := handshake(t, s, &client); err != nil || !known {
		t.Errorf("with the CA's certificate: known %t, %v", known, err)
	}
	if _, _, err := handshake(t, s, &stranger); err == nil {
		t.Error("another CA's certificate was taken")
	}
	write(t, files.ClientCA, []byte("no certificate"))
	if _, err := Load(files, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_TLS_CLIENT_CA_FILE") {
		t.Errorf("got %v", err)
	}
}
