// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// The signatures in this file were computed with Python's hmac, hashlib and
// cryptography packages.

// own is a provider with a given verification.
func own(t testing.TB, verification string, trust verify.Trust) (*provider.Definition, verify.Verifiers) {
	t.Helper()
	text := "provider: own\ntitle: Own\ndocs: https://own.example\nrevision: 1\n" + verification + `
identity:
  id: [{from: "{body.id}"}]
  type: [{from: "{body.kind}"}]
  key: [{from: "{body.id}"}]
`
	def, err := provider.Parse("own.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(provider.Catalog{"own": def}, trust)
	if err != nil {
		t.Fatal(err)
	}
	return def, verifiers
}

// call is a request, and what must come of it.
type call struct {
	method, url string
	// header has lines such as "Name: value".
	header  []string
	body    string
	tls     *tls.ConnectionState
	secrets []string
	// after signedAt is when it arrives.
	after time.Duration
	cause verify.Cause
	key   int
	// by is the scheme's name, where several could apply.
	by string
}

const (
	ownBody = "{\"id\":\"evt_9\",\"kind\":\"paid\"}\r\n"
	ownURL  = "https://hooks.example.com/webhooks/own"
)

func (c *call) request(def *provider.Definition) *request.Request {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.url == "" {
		c.url = ownURL
	}
	r := httptest.NewRequest(c.method, c.url, nil)
	for _, line := range c.header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	r.TLS = c.tls
	return request.New(r, []byte(c.body), request.NewFields(def), "")
}

func run(t *testing.T, verification string, trust verify.Trust, calls map[string]call) {
	t.Helper()
	def, verifiers := own(t, verification, trust)
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			keys := keysOf(t, verifiers, "own", c.secrets...)
			got, err := verifiers["own"].Verify(t.Context(), c.request(def), keys, signedAt.Add(c.after))
			check(t, got, err, c.key, c.cause)
			if err == nil && c.by != "" && got.Scheme != c.by {
				t.Errorf("verified by %s, want %s", got.Scheme, c.by)
			}
			if err == nil && len(got.KeyID) != 8 {
				t.Errorf("the key's id is %q", got.KeyID)
			}
		})
	}
}

func TestNumberedAndRepeatedHeaders(t *testing.T) {
	const (
		first, second = "M/3X67BXdrhXyXYrzicn28tId90gDWZSv5+J21edzLQ=", "s+c2+1ziaLFh7IhC9FTamjqYiRQmQ5atWm8kamzEnCg="
		junk          = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		key1, key2    = "own-connect-key", "own-connect-key-2"
	)
	run(t, `
verify:
  scheme: hmac
  algorithm: sha256
  encoding: base64
  signature: {header: "X-Own-Signature-*, X-Own-Spare"}
  signed: "{body}"
  secret: {encoding: raw}
`, verify.Trust{}, map[string]call{
		"the first":             {header: []string{"X-Own-Signature-1: " + first}, body: ownBody, secrets: []string{key1}},
		"the hundredth":         {header: []string{"X-Own-Signature-100: " + first}, body: ownBody, secrets: []string{key1}},
		"beyond the hundredth":  {header: []string{"X-Own-Signature-101: " + first}, body: ownBody, secrets: []string{key1}, cause: verify.MissingSignature},
		"without a number":      {header: []string{"X-Own-Signature-: " + first}, body: ownBody, secrets: []string{key1}, cause: verify.MissingSignature},
		"the second of two":     {header: []string{"X-Own-Signature-1: " + junk, "X-Own-Signature-2: " + second}, body: ownBody, secrets: []string{key1, key2}, key: 1},
		"another header":        {header: []string{"X-Own-Spare: " + second}, body: ownBody, secrets: []string{key2}},
		"one header repeated":   {header: []string{"X-Own-Signature-1: " + junk, "X-Own-Signature-1: " + first}, body: ownBody, secrets: []string{key1}},
		"all wrong":             {header: []string{"X-Own-Signature-1: " + junk, "X-Own-Signature-1: " + second}, body: ownBody, secrets: []string{key1}, cause: verify.SignatureMismatch},
		"an empty header first": {header: []string{"X-Own-Signature-1: ", "X-Own-Signature-2: " + first}, body: ownBody, secrets: []string{key1}},
	})
}

func TestOptionalSegments(t *testing.T) {
	const all, withoutID = "f29c7dbf12c42ea536a85c529a94fba257c86090a3e3c310bf1d4d7635031d09", "721fe3a29cbff638645c2557b77d9d29012ac482653b82dfb8502e9d75bec5c0"
	sign := func(text string) []string {
		return []string{"X-Signature: ts=1767225600,v1=" + text, "X-Request-Id: req-1"}
	}
	withID := ownURL + "?data.id=PAY-7"
	run(t, `
verify:
  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {header: X-Signature, separator: ",", prefix: "v1="}
  timestamp: {header: X-Signature, separator: ",", prefix: "ts=", unit: s, tolerance: 0s}
  signed:
    - optional: "id:{query.data.id|lower};"
    - optional: "request-id:{header.X-Request-Id};"
    - "ts:{timestamp};"
  secret: {encoding: raw}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"everything":          {url: withID, header: sign(all), secrets: []string{"own-mp"}},
		"no id":               {header: sign(withoutID), secrets: []string{"own-mp"}},
		"id left out":         {header: sign(all), secrets: []string{"own-mp"}, cause: verify.SignatureMismatch},
		"id added":            {url: withID, header: sign(withoutID), secrets: []string{"own-mp"}, cause: verify.SignatureMismatch},
		"no tolerance is set": {url: withID, header: sign(all), secrets: []string{"own-mp"}, after: 10000 * time.Hour},
		"required time gone":  {url: withID, header: []string{"X-Signature: v1=" + all}, secrets: []string{"own-mp"}, cause: verify.MissingTimestamp},
	})
}

func TestSignatureInTheBody(t *testing.T) {
	item := func(signature, amount string) string {
		return `{"live":"true","items":[{"ref":"PSP1","merchant":"Shop","reference":"ref-1","amount":{"value":` + amount + `,"currency":"EUR"},"code":"AUTHORISATION","success":"true","sig":` + signature + `}]}`
	}
	const (
		signature = `"vysNL34or2jof8qQmGotVZXLykTd9lJyRu8e6feHQ6Y="`
		key       = "00112233445566778899aabbccddeeff"
	)
	run(t, `
verify:
  scheme: hmac
  algorithm: sha256
  encoding: base64
  signature: {body: items.0.sig}
  signed: "{body.items.0.ref}:{body.items.0.original?}:{body.items.0.merchant}:{body.items.0.reference}:{body.items.0.amount.value}:{body.items.0.amount.currency}:{body.items.0.code}:{body.items.0.success}"
  secret: {encoding: hex}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"valid":          {body: item(signature, "1000"), secrets: []string{key}},
		"other amount":   {body: item(signature, "1001"), secrets: []string{key}, cause: verify.SignatureMismatch},
		"not text":       {body: item("12345", "1000"), secrets: []string{key}, cause: verify.MalformedSignature},
		"empty":          {body: item(`""`, "1000"), secrets: []string{key}, cause: verify.MissingSignature},
		"field gone":     {body: strings.Replace(item(signature, "1000"), "merchant", "m", 1), secrets: []string{key}, cause: verify.MissingPart},
		"not JSON":       {body: "x", secrets: []string{key}, cause: verify.MissingSignature},
		"duplicate name": {body: strings.Replace(item(signature, "1000"), `"sig"`, `"sig":"","sig"`, 1), secrets: []string{key}, cause: verify.MissingSignature},
	})
}

func TestTimestampInTheBody(t *testing.T) {
	const signature = "9a410843a01741640a3af7bbfd980ea69a750824c50eb5e84f72d4d1307135ba"
	body := `{"id":"1","signature":{"timestamp":"1767225600","token":"tok","signature":"` + signature + `"}}`
	run(t, `
verify:
  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {body: signature.signature}
  timestamp: {body: signature.timestamp, unit: s, tolerance: 5m}
  signed: "{timestamp}{body.signature.token}"
  secret: {encoding: raw}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"valid":       {body: body, secrets: []string{"own-mg"}},
		"late":        {body: body, secrets: []string{"own-mg"}, after: 5*time.Minute + 1, cause: verify.TimestampOutsideTolerance},
		"early":       {body: body, secrets: []string{"own-mg"}, after: -5*time.Minute - 1, cause: verify.TimestampOutsideTolerance},
		"not a time":  {body: strings.Replace(body, `"1767225600"`, `"soon"`, 1), secrets: []string{"own-mg"}, cause: verify.MalformedTimestamp},
		"no time":     {body: strings.Replace(body, `"timestamp"`, `"t"`, 1), secrets: []string{"own-mg"}, cause: verify.MissingTimestamp},
		"other token": {body: strings.Replace(body, `"tok"`, `"kot"`, 1), secrets: []string{"own-mg"}, cause: verify.SignatureMismatch},
	})
}

func TestPlainHashAndChoice(t *testing.T) {
	const (
		v1     = "X-Own-Signature: 55b869912712ebb7a37863d00f639fe036fa612b8d7b8b77f5ca988e912be4f4"
		v2     = "X-Own-Signature: acc9f5f4f0c55ac90e5d136274f40b1f78e29e3dce2b494119e8bc80ebe0e467"
		secret = "own-client-secret"
	)
	withX := ownURL[:len(ownURL)-3] + "acme?x=1"
	run(t, `
verify:
  - name: v2
    scheme: hash
    when: {header.X-Own-Version: v2}
    algorithm: sha256
    encoding: hex
    signature: {header: X-Own-Signature}
    signed: "{secret}{method}{url}{body}"
    secret: {encoding: raw}
  - name: v1
    scheme: hash
    when: {header.X-Own-Version: v1}
    algorithm: sha256
    encoding: hex
    signature: {header: X-Own-Signature}
    signed: "{secret}{body}"
    secret: {encoding: raw}
`, verify.Trust{}, map[string]call{
		"v1":                {header: []string{v1, "X-Own-Version: v1"}, body: ownBody, secrets: []string{secret}, by: "v1"},
		"v2":                {url: withX, header: []string{v2, "X-Own-Version: v2"}, body: ownBody, secrets: []string{secret}, by: "v2"},
		"v1 called v2":      {header: []string{v1, "X-Own-Version: v2"}, body: ownBody, secrets: []string{secret}, cause: verify.SignatureMismatch},
		"v3":                {header: []string{v1, "X-Own-Version: v3"}, body: ownBody, secrets: []string{secret}, cause: verify.MalformedSignature},
		"no version":        {body: ownBody, secrets: []string{secret}, cause: verify.MissingSignature},
		"other URL":         {url: withX + "2", header: []string{v2, "X-Own-Version: v2"}, body: ownBody, secrets: []string{secret}, cause: verify.SignatureMismatch},
		"other secret":      {header: []string{v1, "X-Own-Version: v1"}, body: ownBody, secrets: []string{secret + "2"}, cause: verify.SignatureMismatch},
		"the second secret": {header: []string{v1, "X-Own-Version: v1"}, body: ownBody, secrets: []string{"x", secret}, key: 1},
	})
}

const (
	edKey       = "8fcd83b0c0dfc4c745721fe5ad69fd32e1d1c06c75245ab676bfb0bfb998dee7"
	edSignature = "86320394163fdf97ecadcc41140733ffffd7dc98b90367896834d17aec7dc8b6abc850d5b94f1637764d4ecfd33ad636b9b207998e2c7fbc5ee435d7050e9801"
	// edConfused are HMACs under the public key, as bytes and as text.
	edConfused1 = "900a198bd30272149aca65c313a7340cfbc85e0d6c3375c299cba16c22700ef2"
	edConfused2 = "4cff18a601e7bab48ab5ea413e8d7476e9e74787c599f2ce2c6077bc278b90ac"

	ecKey       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELaIu0TncTReQbcp9aDzkFKgE229Gb/lI+LFUnbBtLJRfpLdnqHINVgIYoTW1SV1Mle7Y6lx8EAl5oylUoaFWlg=="
	ecSignature = "MEYCIQDQzvtDbssO9wpz1hBwhTz9WnklGhO10SvjhAMtPnkDNgIhAIfSVOgqNjuCGRlo2Xli2D6H4CsqtdJtKp46JryWjQpX"
	ecSHA1      = "MEYCIQDJoiVV5LgDvsFrCWSRpyFQa4O7Msw6xYz+G3flc2ZcdwIhAIqde61Wrw7ssDp5s3w1TMIR1qzGHA+vcOvAR8KoLWNr"
	// p384Key is on another curve.
	p384Key = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEEs8OUXEHSVurc4MUY7BYQY6oSdRoz5cpJXyeaEKTHIUn0ApAHjMMYAic4XotSgX7qlsFOuuzXanIQU3R1ANF1unKVC/FjCNzpU3rKtdnSXAHKp4s/8mhJ313wLT/EMqf"
)

const ed25519Verify = `
verify:
  scheme: ed25519
  encoding: hex
  signature: {header: X-Signature}
  timestamp: {header: X-Time, unit: s, tolerance: 5m}
  signed: "{timestamp}{body}"
  secret: {encoding: hex}
`

const ecdsaVerify = `
verify:
  scheme: ecdsa
  encoding: base64
  signature: {header: X-Signature}
  timestamp: {header: X-Time, unit: s, tolerance: 0s}
  signed: "{timestamp}{body}"
  secret: {encoding: base64}
`

func TestEd25519(t *testing.T) {
	headers := func(signature, at string) []string { return []string{"X-Signature: " + signature, "X-Time: " + at} }
	other := strings.Repeat("11", 32)
	run(t, ed25519Verify, verify.Trust{}, map[string]call{
		"valid":                {header: headers(edSignature, "1767225600"), body: ownBody, secrets: []string{edKey}},
		"second key":           {header: headers(edSignature, "1767225600"), body: ownBody, secrets: []string{other, edKey}, key: 1},
		"other key":            {header: headers(edSignature, "1767225600"), body: ownBody, secrets: []string{other}, cause: verify.SignatureMismatch},
		"other body":           {header: headers(edSignature, "1767225600"), body: ownBody[:len(ownBody)-2], secrets: []string{edKey}, cause: verify.SignatureMismatch},
		"other time":           {header: headers(edSignature, "1767225601"), body: ownBody, secrets: []string{edKey}, cause: verify.SignatureMismatch},
		"too old":              {header: headers(edSignature, "1767225600"), body: ownBody, secrets: []string{edKey}, after: time.Hour, cause: verify.TimestampOutsideTolerance},
		"HMAC by public key":   {header: headers(edConfused1, "1767225600"), body: ownBody, secrets: []string{edKey}, cause: verify.MalformedSignature},
		"HMAC by its text":     {header: headers(edConfused2, "1767225600"), body: ownBody, secrets: []string{edKey}, cause: verify.MalformedSignature},
		"high bits in S":       {header: headers(edSignature[:126]+"ff", "1767225600"), body: ownBody, secrets: []string{edKey}, cause: verify.SignatureMismatch},
		"all zero":             {header: headers(strings.Repeat("0", 128), "1767225600"), body: ownBody, secrets: []string{edKey}, cause: verify.SignatureMismatch},
		"good one fifth":       {header: append(repeat("X-Signature: "+strings.Repeat("0", 128), 4), headers(edSignature, "1767225600")...), body: ownBody, secrets: []string{edKey}, cause: verify.SignatureMismatch},
		"good one fourth of 4": {header: append(repeat("X-Signature: "+strings.Repeat("0", 128), 3), headers(edSignature, "1767225600")...), body: ownBody, secrets: []string{edKey}},
	})
}

func repeat(s string, n int) []string {
	var out []string
	for range n {
		out = append(out, s)
	}
	return out
}

func TestECDSA(t *testing.T) {
	headers := func(signature string) []string { return []string{"X-Signature: " + signature, "X-Time: 1767225600"} }
	der, _ := base64.StdEncoding.DecodeString(ecSignature)
	trailing := base64.StdEncoding.EncodeToString(append(der, 0))
	run(t, ecdsaVerify, verify.Trust{}, map[string]call{
		"valid":          {header: headers(ecSignature), body: ownBody, secrets: []string{ecKey}},
		"long after":     {header: headers(ecSignature), body: ownBody, secrets: []string{ecKey}, after: 1000 * time.Hour},
		"over SHA-1":     {header: headers(ecSHA1), body: ownBody, secrets: []string{ecKey}, cause: verify.SignatureMismatch},
		"trailing bytes": {header: headers(trailing), body: ownBody, secrets: []string{ecKey}, cause: verify.SignatureMismatch},
		"r and s of 0":   {header: headers("MAYCAQACAQA="), body: ownBody, secrets: []string{ecKey}, cause: verify.SignatureMismatch},
		"other body":     {header: headers(ecSignature), body: ownBody + " ", secrets: []string{ecKey}, cause: verify.SignatureMismatch},
		"too long":       {header: headers(strings.Repeat("A", 4096)), body: ownBody, secrets: []string{ecKey}, cause: verify.MalformedSignature},
	})
}

func TestTwilio(t *testing.T) {
	const (
		form      = "To=%2B155512&Media=3&Media=1&Media=2&Media=1&Body=hello+%26+co&AccountSid=AC1"
		public    = "https://hooks.example.com/webhooks/twilio?a=b"
		plain     = "X-Twilio-Signature: pJEI2KKc3HlCr58//uAdeCbft3Y="
		with443   = "X-Twilio-Signature: hGr6hBaVf8Xu+vLYrs0JewnuYOk="
		with8443  = "X-Twilio-Signature: f0vuJrXWkdDEli6c76S8u+KxCm8="
		withUser  = "X-Twilio-Signature: LHIMLHAE6yy5mGgivo5yGQ72qUk="
		http      = "X-Twilio-Signature: wrXXut7tOVKwWISveb1W6CpK5uY="
		unsorted  = "X-Twilio-Signature: y1P87tEE8gdGWdvjy14XgdUhNk0="
		jsonBody  = `{"sid":"CA1"}`
		jsonURL   = "https://hooks.example.com/webhooks/twilio?bodySHA256=1380498b6a279e6064bd0bf779fc8cb1798e7813cd06fc5a7f280a15379d8e53"
		jsonSig   = "X-Twilio-Signature: u+vrEw8iltrZ6f03c1YDirdr8Y8="
		bareURL   = "https://hooks.example.com/webhooks/twilio"
		bareSig   = "X-Twilio-Signature: MaDxYhuseRt0bQSeWOhhfJJ83M0="
		authToken = "own-auth-token"
	)
	run(t, `
verify:
  scheme: twilio
  encoding: base64
  signature: {header: X-Twilio-Signature}
  secret: {encoding: raw}
`, verify.Trust{}, map[string]call{
		"form":                    {url: public, header: []string{plain}, body: form, secrets: []string{authToken}},
		"form, signed with 443":   {url: public, header: []string{with443}, body: form, secrets: []string{authToken}},
		"on 8443, signed without": {url: strings.Replace(public, ".com", ".com:8443", 1), header: []string{plain}, body: form, secrets: []string{authToken}},
		"on 8443, signed with it": {url: strings.Replace(public, ".com", ".com:8443", 1), header: []string{with8443}, body: form, secrets: []string{authToken}},
		"signed with 8443":        {url: public, header: []string{with8443}, body: form, secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"with credentials":        {url: public, header: []string{withUser, "Authorization: Basic Ym9iOnB3"}, body: form, secrets: []string{authToken}},
		"without its credentials": {url: public, header: []string{withUser}, body: form, secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"http":                    {url: strings.Replace(public, "https", "http", 1), header: []string{http}, body: form, secrets: []string{authToken}},
		"http for https":          {url: public, header: []string{http}, body: form, secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"signed unsorted":         {url: public, header: []string{unsorted}, body: form, secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"form changed":            {url: public, header: []string{plain}, body: form + "&X=1", secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"repeated more often":     {url: public, header: []string{plain}, body: form + "&Media=3", secrets: []string{authToken}},
		"broken form":             {url: public, header: []string{plain}, body: "%zz", secrets: []string{authToken}, cause: verify.MissingPart},
		"JSON":                    {url: jsonURL, header: []string{jsonSig}, body: jsonBody, secrets: []string{authToken}},
		"JSON changed":            {url: jsonURL, header: []string{jsonSig}, body: jsonBody + " ", secrets: []string{authToken}, cause: verify.BodyMismatch},
		"JSON without its hash":   {url: bareURL, header: []string{bareSig}, body: jsonBody, secrets: []string{authToken}, cause: verify.SignatureMismatch},
		"GET without a body":      {method: "GET", url: bareURL, header: []string{bareSig}, secrets: []string{authToken}},
	})
}

func TestToken(t *testing.T) {
	run(t, `
verify:
  scheme: token
  signature: {header: X-Own-Token}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"valid":          {header: []string{"X-Own-Token: hunter2"}, secrets: []string{"hunter2"}},
		"second of two":  {header: []string{"X-Own-Token: hunter2"}, secrets: []string{"hunter1", "hunter2"}, key: 1},
		"repeated":       {header: []string{"X-Own-Token: x", "X-Own-Token: hunter2"}, secrets: []string{"hunter2"}},
		"prefix of it":   {header: []string{"X-Own-Token: hunter"}, secrets: []string{"hunter2"}, cause: verify.SignatureMismatch},
		"longer":         {header: []string{"X-Own-Token: hunter22"}, secrets: []string{"hunter2"}, cause: verify.SignatureMismatch},
		"none":           {secrets: []string{"hunter2"}, cause: verify.MissingSignature},
		"empty":          {header: []string{"X-Own-Token: "}, secrets: []string{"hunter2"}, cause: verify.MissingSignature},
		"no key":         {header: []string{"X-Own-Token: hunter2"}, cause: verify.MissingSignature},
		"in other place": {url: ownURL + "?X-Own-Token=hunter2", secrets: []string{"hunter2"}, cause: verify.MissingSignature},
	})
	run(t, `
verify:
  scheme: token
  signature: {query: token}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"in the URL":       {url: ownURL + "?token=hun%20ter2", secrets: []string{"hun ter2"}},
		"only first value": {url: ownURL + "?token=x&token=hunter2", secrets: []string{"hunter2"}, cause: verify.SignatureMismatch},
	})
}

func TestBasic(t *testing.T) {
	line := func(text string) []string {
		return []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
	}
	run(t, `
verify:
  scheme: basic
  signature: {header: Authorization}
  unsigned_body: true
`, verify.Trust{}, map[string]call{
		"valid":           {header: line("bob:p:w"), secrets: []string{"bob:p:w"}},
		"scheme in lower": {header: []string{"Authorization: basic Ym9iOnB3"}, secrets: []string{"bob:pw"}},
		"other password":  {header: line("bob:px"), secrets: []string{"bob:pw"}, cause: verify.SignatureMismatch},
		"no base64":       {header: []string{"Authorization: Basic bob:pw"}, secrets: []string{"bob:pw"}, cause: verify.MalformedSignature},
		"other scheme":    {header: []string{"Authorization: Bearer Ym9iOnB3"}, secrets: []string{"bob:pw"}, cause: verify.MalformedSignature},
		"none":            {secrets: []string{"bob:pw"}, cause: verify.MissingSignature},
	})
}

func TestMTLS(t *testing.T) {
	spiffe, err := url.Parse("spiffe://own.example/sender")
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "sender"}, DNSNames: []string{"sender.own.example"}, URIs: []*url.URL{spiffe}}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
	run(t, `
verify:
  scheme: mtls
`, verify.Trust{}, map[string]call{
		"common name":     {tls: verified, secrets: []string{"sender"}},
		"DNS name":        {tls: verified, secrets: []string{"other", "sender.own.example"}, key: 1},
		"URI":             {tls: verified, secrets: []string{"spiffe://own.example/sender"}},
		"other name":      {tls: verified, secrets: []string{"sende"}, cause: verify.SignatureMismatch},
		"not verified":    {tls: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, secrets: []string{"sender"}, cause: verify.MissingSignature},
		"no certificate":  {tls: &tls.ConnectionState{}, secrets: []string{"sender"}, cause: verify.MissingSignature},
		"plain HTTP":      {secrets: []string{"sender"}, cause: verify.MissingSignature},
		"header of proxy": {header: []string{"X-Client-Cert: sender"}, secrets: []string{"sender"}, cause: verify.MissingSignature},
	})
}

// mixed is two kinds of key for one header, as Standard Webhooks has them.
const mixed = `
verify:
  - name: shared
    scheme: hmac
    algorithm: sha256
    encoding: hex
    signature: {header: X-Signature, separator: " ", prefix: "v1,"}
    signed: "1767225600{body}"
    secret: {encoding: raw}
  - name: public
    scheme: ed25519
    encoding: hex
    signature: {header: X-Signature, separator: " ", prefix: "v1a,"}
    signed: "1767225600{body}"
    secret: {prefix: "whpk_", required: true, encoding: hex}
`

func TestSchemeIsChosenByKeyAndSignature(t *testing.T) {
	run(t, mixed, verify.Trust{}, map[string]call{
		"public":                {header: []string{"X-Signature: v1a," + edSignature}, body: ownBody, secrets: []string{"whpk_" + edKey}, by: "public"},
		"shared configured too": {header: []string{"X-Signature: v1a," + edSignature}, body: ownBody, secrets: []string{"x", "whpk_" + edKey}, by: "public", key: 1},
		"first that has a key":  {header: []string{"X-Signature: v1,00 v1a," + edSignature}, body: ownBody, secrets: []string{"whpk_" + edKey}, by: "public"},
		"no second try":         {header: []string{"X-Signature: v1," + edConfused1 + " v1a," + edSignature}, body: ownBody, secrets: []string{"x", "whpk_" + edKey}, cause: verify.SignatureMismatch},
		// The public key is never a shared secret, whatever is signed with it.
		"HMAC by public key":  {header: []string{"X-Signature: v1," + edConfused1}, body: ownBody, secrets: []string{"whpk_" + edKey}, cause: verify.MalformedSignature},
		"HMAC by its text":    {header: []string{"X-Signature: v1," + edConfused2}, body: ownBody, secrets: []string{"whpk_" + edKey}, cause: verify.MalformedSignature},
		"only the other kind": {header: []string{"X-Signature: v1a," + edSignature}, body: ownBody, secrets: []string{"x"}, cause: verify.MalformedSignature},
	})
}

// TestPublicKeyBesideSecretNeedsPrefix: a public key that an HMAC would take for
// its secret lets everyone sign.
func TestPublicKeyBesideSecretNeedsPrefix(t *testing.T) {
	text := strings.Replace(mixed, `{prefix: "whpk_", required: true, encoding: hex}`, "{encoding: hex}", 1)
	def, err := provider.Parse("own.yaml", []byte("provider: own\ntitle: Own\ndocs: https://own.example\nrevision: 1\n"+text+"identity: {id: [{from: '{body.id}'}], type: [{from: '{body.id}'}], key: [{from: '{body.id}'}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = verify.Compile(def, verify.Trust{}); err == nil || !strings.Contains(err.Error(), "own.yaml:6: verify: ") || !strings.Contains(err.Error(), "secret.required") {
		t.Errorf("got %v", err)
	}
}
