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
	"sync/atomic"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/stage/outbound"
)

// certified is an RSA signature (PKCS #1 v1.5) by the key of a certificate that
// the request points to. The configured secret is what the provider calls our
// endpoint; it is part of the signed content, or else only says that the pair is
// configured.
type certified struct {
	*alternative
	hash  crypto.Hash
	trust Trust
	last  outbound.Memo[*issued]
}

// issued is a document's certificate, or what is wrong with it.
type issued struct {
	key     *rsa.PublicKey
	leaf    *x509.Certificate
	between *x509.CertPool
	problem string
	// chained is when a chain that was found is valid.
	chained atomic.Pointer[period]
}

type period struct{ from, until time.Time }

func (p *period) has(t time.Time) bool { return !t.Before(p.from) && !t.After(p.until) }

// within is the part that a certificate's time has in common.
func (p *period) within(cert *x509.Certificate) {
	if cert.NotBefore.After(p.from) {
		p.from = cert.NotBefore
	}
	if cert.NotAfter.Before(p.until) {
		p.until = cert.NotAfter
	}
}

// minRSA is the shortest key, in bits, that still cannot be broken.
const minRSA = 2048

func newCertified(a *alternative, trust Trust) (*certified, error) {
	if a.spec.Certificate == nil {
		return nil, errors.New("the scheme rsa needs certificate")
	}
	h, err := hashOf(a.spec.Algorithm)
	return &certified{alternative: a, hash: h, trust: trust}, err
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
	doc, err := c.trust.fetcher().Fetch(ctx, location)
	if err != nil {
		return 0, unavailable(err)
	}
	key, err := c.key(doc, at.now)
	if err != nil {
		return 0, err
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

// key is the certificate's, if it is trusted now.
func (c *certified) key(doc []byte, now time.Time) (*rsa.PublicKey, error) {
	found := c.last.Get(doc, c.examine)
	problem := found.problem
	switch {
	case problem != "":
	case now.Before(found.leaf.NotBefore) || now.After(found.leaf.NotAfter):
		problem = "is not valid now"
	case !c.spec.Certificate.Unchained && !found.isChained(c.trust.Roots, now):
		problem = "does not chain to a trusted root"
	default:
		return found.key, nil
	}
	return nil, refuse(UntrustedCertificate, "the certificate %s", problem)
}

// examine finds out what does not depend on the time.
func (c *certified) examine(doc []byte) *issued {
	certs := parseCertificates(doc)
	if len(certs) == 0 {
		return &issued{problem: "is not one in PEM"}
	}
	found := &issued{leaf: certs[0], between: x509.NewCertPool()}
	for _, cert := range certs[1:] {
		found.between.AddCert(cert)
	}
	var ok bool
	if found.key, ok = found.leaf.PublicKey.(*rsa.PublicKey); !ok || found.key.N.BitLen() < minRSA {
		found.problem = "has no RSA key of 2048 bits or more"
	} else if !c.names(found.leaf) {
		found.problem = "belongs to somebody else than " + strings.Join(c.spec.Certificate.Subjects, ", ")
	}
	return found
}

// isChained reports whether the certificate chains to a root now. Finding a chain
// is dear, so it is remembered for as long as it is valid.
func (f *issued) isChained(roots *x509.CertPool, now time.Time) bool {
	if known := f.chained.Load(); known != nil && known.has(now) {
		return true
	}
	chains, err := f.leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: f.between, CurrentTime: now,
		// Signing messages has no usage of its own.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return false
	}
	valid := period{f.leaf.NotBefore, f.leaf.NotAfter}
	for _, cert := range chains[0] {
		valid.within(cert)
	}
	f.chained.Store(&valid)
	return true
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
