// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// certified is an RSA signature (PKCS #1 v1.5) by the key of a certificate that
// the request points to. The configured secret is what the provider calls our
// endpoint; it is part of the signed content, or else only says that the pair is
// configured.
type certified struct {
	*alternative
	hash  crypto.Hash
	trust Trust
}

// minRSA is the shortest key, in bits, that still cannot be broken.
const minRSA = 2048

func newCertified(a *alternative, trust Trust) (*certified, error) {
	if a.spec.Certificate == nil {
		return nil, errors.New("the scheme rsa needs certificate")
	}
	h, err := hashOf(a.spec.Algorithm)
	return &certified{a, h, trust}, err
}

func (*certified) prepare(*form) error { return nil }

func (c *certified) present(req *request.Request) bool { return c.signature.first(req) != "" }

// check does what costs nothing first: only a request that could be genuine
// makes us fetch.
func (c *certified) check(ctx context.Context, at *attempt) (int, error) {
	if err := at.decodeSignatures(0, maxAsymmetric); err != nil {
		return 0, err
	}
	if err := at.content(); err != nil {
		return 0, err
	}
	location, err := c.location(at.req)
	if err != nil {
		return 0, err
	}
	doc, err := c.trust.fetch(ctx, location, false)
	if err != nil {
		return 0, err
	}
	key, problem := c.key(doc, at.now)
	if problem != "" {
		return 0, refuse(UntrustedCertificate, "the certificate %s", problem)
	}
	for i, f := range at.keys {
		h := c.hash.New()
		h.Write(at.message(f))
		sum := h.Sum(nil)
		for _, signature := range at.signatures {
			if rsa.VerifyPKCS1v15(key, c.hash, sum, signature) == nil {
				return i, nil
			}
		}
	}
	return 0, at.mismatch()
}

// location is the certificate's URL. It must be a plain path on a pinned host:
// with a query, SNS hosts give answers that senders can fill, certificates
// among them.
func (c *certified) location(req *request.Request) (string, error) {
	text, ok := c.spec.Certificate.URL.Expand(req.Lookup)
	if !ok {
		return "", refuse(MissingPart, "the URL of the certificate is missing")
	}
	u, err := provider.PinnedURL(text, c.spec.Certificate.Hosts)
	if err != nil || !plain(u) {
		return "", refuse(UntrustedCertificate, "the URL of the certificate is not a plain https URL on one of the hosts %s", strings.Join(c.spec.Certificate.Hosts, ", "))
	}
	return u.String(), nil
}

func plain(u *url.URL) bool {
	return u.RawQuery == "" && !u.ForceQuery && u.RawPath == "" && !strings.Contains(u.Path, "..") &&
		strings.Trim(u.Path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-") == ""
}

// key is the certificate's, if it is trusted now. Otherwise it says what is
// wrong with the certificate.
func (c *certified) key(doc []byte, now time.Time) (*rsa.PublicKey, string) {
	certs := parseCertificates(doc)
	if len(certs) == 0 {
		return nil, "is not one in PEM"
	}
	leaf := certs[0]
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok || key.N.BitLen() < minRSA:
		return nil, "has no RSA key of 2048 bits or more"
	case !c.names(leaf):
		return nil, "belongs to somebody else than " + strings.Join(c.spec.Certificate.Subjects, ", ")
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return nil, "is not valid now"
	case !c.spec.Certificate.Unchained && !c.chained(certs, now):
		return nil, "does not chain to a trusted root"
	}
	return key, ""
}

// parseCertificates reads certificates in PEM, the leaf first, and nothing when
// there is anything else: a certificate within something else may be quoted.
func parseCertificates(doc []byte) []*x509.Certificate {
	var certs []*x509.Certificate
	for rest := bytes.TrimSpace(doc); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN CERTIFICATE-----")) {
			return nil
		}
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		certs = append(certs, cert)
	}
	return certs
}

func (c *certified) names(leaf *x509.Certificate) bool {
	names := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	return slices.ContainsFunc(c.spec.Certificate.Subjects, func(pattern string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return provider.MatchHost(pattern, name) })
	})
}

func (c *certified) chained(certs []*x509.Certificate, now time.Time) bool {
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: c.trust.Roots, Intermediates: between, CurrentTime: now,
		// Signing messages has no usage of its own.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// fetch gets a document, or says that the request should be sent again.
func (t *Trust) fetch(ctx context.Context, location string, again bool) ([]byte, error) {
	err := errors.New("nothing can be fetched here")
	var doc []byte
	switch {
	case t.Fetcher == nil:
	case again:
		doc, err = t.Fetcher.Refresh(ctx, location)
	default:
		doc, err = t.Fetcher.Fetch(ctx, location)
	}
	if err != nil {
		return nil, &Error{Cause: KeysUnavailable, Detail: "the keys to verify with could not be fetched; send it again", Err: err}
	}
	return doc, nil
}
