// SPDX-License-Identifier: Apache-2.0

// Package verify checks the signature of a request against the declarative HMAC
// scheme of its provider's definition (RFC 2104).
package verify

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // providers that still sign with HMAC-SHA1; the definition pins it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Scheme is a definition's verification, compiled. It is safe for concurrent
// use.
type Scheme struct {
	spec   *provider.Verify
	signed []provider.Part
	hash   func() hash.Hash
	size   int
	decode func(dst, src []byte) (int, error)
	// encoded is the length of a signature as text.
	encoded int
}

// Compile prepares a definition's verification.
func Compile(spec *provider.Verify) (*Scheme, error) {
	s := &Scheme{spec: spec, signed: spec.Signed[0].Template.Parts()}
	switch spec.Algorithm {
	case "sha1":
		s.hash, s.size = sha1.New, sha1.Size
	case "sha256":
		s.hash, s.size = sha256.New, sha256.Size
	case "sha512":
		s.hash, s.size = sha512.New, sha512.Size
	default:
		return nil, fmt.Errorf("verify.algorithm %q is not known", spec.Algorithm)
	}
	switch spec.Encoding {
	case "hex":
		s.decode, s.encoded = hex.Decode, hex.EncodedLen(s.size)
	case "base64":
		// Strict: one signature has one spelling.
		strict := base64.StdEncoding.Strict()
		s.decode, s.encoded = strict.Decode, strict.EncodedLen(s.size)
	default:
		return nil, fmt.Errorf("verify.encoding %q is not known", spec.Encoding)
	}
	return s, nil
}

// CompileAll compiles the verification of every definition.
func CompileAll(catalog provider.Catalog) (Schemes, error) {
	schemes := Schemes{}
	for name, def := range catalog {
		s, err := Compile(&def.Verify[0])
		if err != nil {
			return nil, def.Problem(err.Error(), "verify")
		}
		schemes[name] = s
	}
	return schemes, nil
}

// SignatureHeader is the header that carries the signature.
func (s *Scheme) SignatureHeader() string { return s.spec.Signature.Header }

// Verify checks that one of keys signed the request, and that its signed time,
// where the scheme has one, lies within the tolerance of now. It returns the
// index of the key that matched. An error is always an *Error.
func (s *Scheme) Verify(req *request.Request, keys []Key, now time.Time) (int, error) {
	signatures, err := s.signatures(req)
	if err != nil {
		return 0, err
	}
	timestamp, err := s.timestamp(req, now)
	if err != nil {
		return 0, err
	}
	signed, err := s.signedParts(req, timestamp)
	if err != nil {
		return 0, err
	}
	sum := make([]byte, 0, sha512.Size)
	for i, key := range keys {
		mac := hmac.New(s.hash, key.bytes)
		for _, part := range signed {
			mac.Write(part)
		}
		sum = mac.Sum(sum[:0])
		for _, signature := range signatures {
			if hmac.Equal(sum, signature) { // constant time
				return i, nil
			}
		}
	}
	return 0, refuse(SignatureMismatch, "no signature in %s is that of this request under a configured secret; check the secret, and that nothing on the way changes the body", s.spec.Signature.Header)
}

// signatures decodes every signature of the request. Those that are of another
// kind or length are skipped: a sender that rotates may add what we do not know.
func (s *Scheme) signatures(req *request.Request) ([][]byte, error) {
	part := &s.spec.Signature
	value := req.Header(part.Header)
	if value == "" {
		return nil, refuse(MissingSignature, "the header %s is missing", part.Header)
	}
	var out [][]byte
	for item := range items(part, value) {
		if len(item) != s.encoded {
			continue
		}
		// Room for what the decoder may write before it notices an error.
		raw := make([]byte, s.encoded)
		if n, err := s.decode(raw, []byte(item)); err == nil && n == s.size {
			out = append(out, raw[:n])
		}
	}
	if len(out) == 0 {
		return nil, refuse(MalformedSignature, "the header %s holds no %s signature in %s%s", part.Header, s.spec.Algorithm, s.spec.Encoding, withPrefix(part.Prefix))
	}
	return out, nil
}

func withPrefix(prefix string) string {
	if prefix == "" {
		return ""
	}
	return fmt.Sprintf(" after %q", prefix)
}

// timestamp is the signed time as the request writes it, or "" where the scheme
// has none. A time in the future is refused like one in the past: it would stay
// replayable for longer than the tolerance.
func (s *Scheme) timestamp(req *request.Request, now time.Time) (string, error) {
	spec := s.spec.Timestamp
	if spec == nil {
		return "", nil
	}
	text := firstItem(&spec.Location, req.Header(spec.Header))
	if text == "" {
		return "", refuse(MissingTimestamp, "the header %s holds no timestamp%s", spec.Header, withPrefix(spec.Prefix))
	}
	at, err := spec.Unit.Parse(text)
	if err != nil {
		return "", refuse(MalformedTimestamp, "the timestamp in %s is not a time in unit %s", spec.Header, spec.Unit)
	}
	if now.Sub(at).Abs() > spec.Tolerance {
		return "", refuse(TimestampOutsideTolerance, "the timestamp in %s is more than %s from now; send again with a new one, and check both clocks", spec.Header, spec.Tolerance)
	}
	return text, nil
}

// signedParts are the pieces of the bytes that the signature covers. The body
// is among them as it is, not copied.
func (s *Scheme) signedParts(req *request.Request, timestamp string) ([][]byte, error) {
	out := make([][]byte, 0, len(s.signed))
	for _, part := range s.signed {
		switch {
		case part.Ref == nil:
			out = append(out, []byte(part.Literal))
		case part.Ref.Kind == provider.RefBody:
			out = append(out, req.Body)
		case part.Ref.Kind == provider.RefTimestamp:
			out = append(out, []byte(timestamp))
		default:
			text, ok := req.Lookup(*part.Ref)
			if !ok {
				return nil, refuse(MissingPart, "the signature covers %s, which the request lacks", reference(part.Ref))
			}
			out = append(out, []byte(text))
		}
	}
	return out, nil
}

func reference(r *provider.Ref) string {
	if r.Name == "" {
		return "the " + string(r.Kind)
	}
	return fmt.Sprintf("the %s %s", r.Kind, r.Name)
}
