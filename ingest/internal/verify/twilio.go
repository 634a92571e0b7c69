// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// bodyHash is the query parameter with the SHA-256 of a JSON body.
const bodyHash = "bodySHA256"

// signedForm is Twilio's signature: HMAC-SHA1 of the URL and the sorted parameters of
// the form, or of the URL alone, whose query has the body's hash.
// https://www.twilio.com/docs/usage/security#validating-requests
type signedForm struct{ *alternative }

func newForm(a *alternative) (*signedForm, error) { return &signedForm{a}, nil }

func (*signedForm) prepare(f *form) error {
	f.macs = macs(provider.HMAC, crypto.SHA1, f.bytes)
	return nil
}

func (s *signedForm) present(req *request.Request) bool { return s.signature.first(req) != "" }

func (s *signedForm) check(_ context.Context, at *attempt) (int, error) {
	if err := at.decodeSignatures(crypto.SHA1.Size(), 1); err != nil {
		return 0, err
	}
	parameters, err := signedParameters(at.req)
	if err != nil {
		return 0, err
	}
	for _, u := range spellings(at.req) {
		at.pieces = append(at.pieces[:0], piece{bytes: at.keep(u)}, piece{bytes: parameters})
		for i, f := range at.keys {
			if at.signedWith(f) {
				return i, nil
			}
		}
	}
	return 0, refuse(SignatureMismatch, "the signature in %s is not that of this request under a configured secret; check the secret, and that the public URL is the one that Twilio calls (HOOKSTREAM_PUBLIC_URL)", &s.signature)
}

// signedParameters are the form's names and values, sorted, each pair once; or
// nothing where the URL holds the body's hash, which is checked.
func signedParameters(req *request.Request) ([]byte, error) {
	if want := req.Query().Get(bodyHash); want != "" {
		sum := sha256.Sum256(req.Body)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(want))) == 0 {
			return nil, refuse(BodyMismatch, "%s in the query is not the hash of the body", bodyHash)
		}
		return nil, nil
	}
	values, err := url.ParseQuery(string(req.Body))
	if err != nil {
		return nil, refuse(MissingPart, "the body is no form, and the query has no %s", bodyHash)
	}
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(values[name]))) {
			out = append(append(out, name...), value...)
		}
	}
	return out, nil
}

// spellings are the URLs that Twilio may have signed: with the port, without it,
// or with the default one, and with the user and password of the URL where it
// was given some.
func spellings(req *request.Request) []string {
	text := req.URL()
	u, err := url.Parse(text)
	if err != nil {
		return []string{text}
	}
	scheme, rest, _ := strings.Cut(text, "://")
	rest = rest[strings.IndexAny(rest+"/", "/?"):]
	port := "443"
	if scheme == "http" {
		port = "80"
	}
	hosts := []string{u.Host, u.Hostname(), u.Hostname() + ":" + port}
	var out []string
	for _, host := range hosts {
		for _, user := range users(req) {
			if s := scheme + "://" + user + host + rest; !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// users are what may stand before the host.
func users(req *request.Request) []string {
	sent := http.Request{Header: http.Header{"Authorization": req.Headers("Authorization")}}
	name, password, ok := sent.BasicAuth()
	if !ok {
		return []string{""}
	}
	return []string{"", url.UserPassword(name, password).String() + "@"}
}
