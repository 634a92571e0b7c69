// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// FuzzVerify sends anything as the headers and the body. Whatever is accepted
// must contain the right signature, computed here anew; whatever is refused must
// have a cause.
func FuzzVerify(f *testing.F) {
	catalog, err := provider.Load("")
	if err != nil {
		f.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		f.Fatal(err)
	}
	stripeKeys := keysOf(f, verifiers, "stripe", stripeOne)
	svixKeys := keysOf(f, verifiers, "svix", standardOne)
	svixKey, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(standardOne, "whsec_"))

	f.Add("t=1767225600,v1="+stripeSigOne, "", "", "", []byte(stripeBody))
	f.Add("", "v1,"+standardSigOne+" v1,x", "msg_1", "1767225600", []byte(standardBody))
	f.Add("t=,v1=,v1,,=t=1", " v1, v1,  ", "\x00", "+1767225600", []byte("\xff"))
	f.Fuzz(func(t *testing.T, stripeHeader, svixSignature, svixID, svixTime string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Stripe-Signature", stripeHeader)
		r.Header.Set("svix-signature", svixSignature)
		r.Header.Set("svix-id", svixID)
		r.Header.Set("svix-timestamp", svixTime)
		req := request.New(r, body, request.NewFields(&provider.Definition{}), "")

		_, err := verifiers["stripe"].Verify(t.Context(), req, stripeKeys, signedAt)
		sum := mac([]byte(stripeOne), stripeTime(stripeHeader), ".", string(body))
		mustContain(t, err, strings.ToLower(stripeHeader), hex.EncodeToString(sum))

		_, err = verifiers["svix"].Verify(t.Context(), req, svixKeys, signedAt)
		sum = mac(svixKey, svixID, ".", strings.TrimSpace(svixTime), ".", string(body))
		mustContain(t, err, svixSignature, base64.StdEncoding.EncodeToString(sum))
	})
}

func mac(key []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write([]byte(p))
	}
	return m.Sum(nil)
}

func stripeTime(header string) string {
	for _, item := range strings.Split(header, ",") {
		if at, ok := strings.CutPrefix(strings.TrimSpace(item), "t="); ok && at != "" {
			return at
		}
	}
	return ""
}

func mustContain(t *testing.T, err error, header, signature string) {
	t.Helper()
	var refused *verify.Error
	switch {
	case err == nil && !strings.Contains(header, signature):
		t.Fatalf("accepted %q without the signature %s", header, signature)
	case err != nil && (!errors.As(err, &refused) || refused.Cause == "" || refused.Detail == ""):
		t.Fatalf("refused without a cause: %v", err)
	}
}
