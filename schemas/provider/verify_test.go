// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"slices"
	"strings"
	"testing"
)

// withVerify is the minimal definition with another verification, and more fields at
// its end.
func withVerify(verify, more string) string {
	head, tail, _ := strings.Cut(minimal, "verify:")
	_, tail, _ = strings.Cut(tail, "identity:")
	return head + "verify:\n" + verify + "identity:" + tail + more
}

// The schemes of providers that there are, each in its shortest form.
var schemeExamples = map[string]string{
	"hmac with a time": `  scheme: hmac
  algorithm: sha1
  encoding: base64
  signature: {header: X-Sig, separator: " ", prefix: "v1,"}
  timestamp: {header: X-Time, unit: s, tolerance: 5m}
  signed: "{timestamp}.{body}"
  secret: {prefix: whsec_, required: true, encoding: base64}
`,
	"time in the signed body": `  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {header: X-Sig}
  timestamp: {body: sentAt, unit: ms, tolerance: 0}
  signed: "{body}"
  secret: {encoding: hex}
`,
	"segments": `  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {header: x-signature, separator: ",", prefix: "v1="}
  timestamp: {header: x-signature, separator: ",", prefix: "ts=", unit: ms, tolerance: 0}
  signed:
    - optional: "id:{query.data.id|lower};"
    - "ts:{timestamp};"
  secret: {encoding: raw}
  unsigned_body: true
`,
	"hash": `  scheme: hash
  algorithm: sha256
  encoding: hex
  signature: {header: X-Sig}
  signed: "{secret}{method}{url|unescape}{body}"
  secret: {encoding: raw}
`,
	"ed25519": `  scheme: ed25519
  encoding: hex
  signature: {header: X-Sig}
  timestamp: {header: X-Time, unit: s, tolerance: 0s}
  signed: "{timestamp}{body}"
  secret: {encoding: hex}
`,
	"ecdsa": `  scheme: ecdsa
  encoding: base64
  signature: {header: X-Sig}
  signed: "{body}"
  secret: {encoding: base64}
`,
	"rsa, CRC of the body": `  scheme: rsa
  algorithm: sha256
  encoding: base64
  signature: {header: X-Sig}
  signed: "{header.X-Id}|{secret}|{body|crc32}"
  unsigned_body: true
  certificate: {url: "{header.X-Cert}", hosts: [api.example.com, "*.api.example.com"], subjects: [signer.example.com]}
`,
	"jwt": `  scheme: jwt
  signature: {header: Authorization, prefix: "Bearer "}
  unsigned_body: true
  jwt: {keys: "https://keys.example.com/certs", algorithms: [RS256], issuers: [https://id.example.com], claims: {email_verified: true}, secret: [aud, email]}
`,
	"twilio": "  scheme: twilio\n  encoding: base64\n  signature: {header: X-Sig}\n",
	"token":  "  scheme: token\n  signature: {body: token}\n  unsigned_body: true\n",
	"basic":  "  scheme: basic\n  unsigned_body: true\n",
	"mtls":   "  scheme: mtls\n",
	"several": `  - {name: new, scheme: ed25519, encoding: hex, signature: {header: X-New}, signed: "{body}", secret: {encoding: hex}}
  - name: old
    scheme: token
    weaker: {why: whoever sees it has it}
    when: {method: POST, body.kind: "*", header.X-New: ""}
    signature: {query: token}
    unsigned_body: true
`,
}

func TestEverySchemeParses(t *testing.T) {
	for name, verify := range schemeExamples {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("acme.yaml", []byte(withVerify(verify, ""))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemesRefuseWhatTheyLackOrDoNotHave(t *testing.T) {
	cases := []struct{ example, from, to, want string }{
		{"hmac with a time", "hmac", "hmack", `acme.yaml:6: verify.scheme: "hmack" is not one of hmac, hash,`},
		{"hmac with a time", "  encoding: base64\n", "", "acme.yaml:5: verify.encoding: the scheme hmac needs encoding"},
		{"hmac with a time", "sha1", "md5", `verify.algorithm: "md5" is not one of`},
		{"hmac with a time", "{timestamp}.{body}", "{body}", "acme.yaml:10: verify.timestamp: an unsigned time proves nothing"},
		{"hmac with a time", "{timestamp}.{body}", "{timestamp}.{secret}{body}", "signs no {secret}"},
		{"hmac with a time", "{timestamp}.{body}", "{timestamp}", "acme.yaml:11: verify.signed: must contain {body}"},
		{"hmac with a time", ", tolerance: 5m", "", "acme.yaml:10: verify.timestamp.tolerance: must be a duration"},
		{"hmac with a time", "5m", "-5m", "verify.timestamp.tolerance: must be a duration"},
		{"hmac with a time", "unit: s", "unit: h", "verify.timestamp.unit: "},
		{"hmac with a time", "{header: X-Time,", "{header: X-Time, query: t,", "acme.yaml:10: verify.timestamp: names 2 of header, query and body"},
		{"hmac with a time", "{header: X-Sig,", "{", "acme.yaml:9: verify.signature: names 0 of header"},
		{"hmac with a time", "header: X-Sig", "header: X-*-Sig", "verify.signature.header: a * may only stand at the end"},
		{"hmac with a time", "header: X-Sig", "header: X Sig", "verify.signature.header: "},
		{"hmac with a time", ", encoding: base64}", "}", "acme.yaml:12: verify.secret.encoding"},
		{"hmac with a time", "prefix: whsec_, ", "", "acme.yaml:12: verify.secret: required without a prefix"},
		{"hmac with a time", "{body}", "{body|sign}", "is for the answers of handshakes"},
		{"time in the signed body", "{body}", "{body.id}", "verify.signed: must contain {body}"},
		{"time in the signed body", "  timestamp", "  per_item: true\n  timestamp", "acme.yaml:10: verify.per_item: body.batch names no items"},
		{"segments", "ts:{timestamp}", "ts:{timestamps}", "acme.yaml:13: template"},
		{"segments", "  unsigned_body: true\n", "", "acme.yaml:11: verify.signed: must contain {body}"},
		{"hash", "{secret}", "", "verify.signed: must contain {secret}"},
		{"hash", "  secret:", "  unsigned_body: true\n  secret:", "acme.yaml:11: verify.unsigned_body: the signature covers the body"},
		{"rsa, CRC of the body", "|{secret}", "", "verify.signed: must contain {secret}, what the provider calls"},
		{"ed25519", "  encoding", "  algorithm: sha256\n  encoding", "acme.yaml:7: verify.algorithm: the scheme ed25519 has no algorithm"},
		{"rsa, CRC of the body", "  unsigned_body: true\n", "", "verify.signed: must contain {body}"},
		{"rsa, CRC of the body", `, "*.api.example.com"`, `, "*.com"`, `acme.yaml:12: verify.certificate.hosts[1]: "*.com" pins no domain`},
		{"rsa, CRC of the body", `hosts: [api.example.com, "*.api.example.com"], `, "", "verify.certificate.hosts: names no host"},
		{"rsa, CRC of the body", `{header.X-Cert}`, "https://api.example.com", "verify.certificate.url: refers to no part"},
		{"rsa, CRC of the body", `[signer.example.com]`, "[]", "verify.certificate.subjects: names nobody"},
		{"jwt", "[RS256]", "[none]", `verify.jwt.algorithms[0]: "none" is not one of RS256`},
		{"jwt", "[RS256]", "[HS256]", `verify.jwt.algorithms[0]: "HS256" is not one of RS256`},
		{"jwt", "https://keys", "http://keys", "verify.jwt.keys: "},
		{"jwt", "[aud, email]", "[]", "verify.jwt.secret: names no claim"},
		{"jwt", "[https://id.example.com]", "[]", "verify.jwt.issuers: names no issuer"},
		{"jwt", "  unsigned_body: true\n", "", "verify.unsigned_body: the scheme jwt does not cover the body"},
		{"token", "  unsigned_body: true\n", "  signed: x\n  unsigned_body: true\n", "verify.signed: the scheme token has no signed"},
		{"token", "  signature: {body: token}\n", "", "verify.signature: the scheme token needs signature"},
		{"token", "body: token", "body: a..b", "verify.signature.body: "},
		{"mtls", "mtls\n", "mtls\n  signature: {header: x}\n", "verify.signature: the scheme mtls has no signature"},
		{"several", "name: old", "name: new", "acme.yaml:7: verify[1].name: several schemes need a name each"},
		{"several", "body.kind:", "boody.kind:", `acme.yaml:10: line 10: condition "boody.kind"`},
		{"several", "body.kind:", "secret:", `acme.yaml:10: verify[1].when.secret: {secret} belongs in verify.signed only`},
		{"several", "{query: token}", "{query: token, body: token}", "acme.yaml:11: verify[1].signature: names 2 of"},
	}
	for _, c := range cases {
		t.Run(c.example+" "+c.want, func(t *testing.T) {
			verify := schemeExamples[c.example]
			if !strings.Contains(verify, c.from) {
				t.Fatalf("no %q in the example", c.from)
			}
			_, err := Parse("acme.yaml", []byte(withVerify(strings.Replace(verify, c.from, c.to, 1), "")))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestOtherFieldsAreChecked(t *testing.T) {
	token := "  scheme: token\n  signature: {header: Authorization}\n  unsigned_body: true\n"
	cases := map[string]struct{ verify, more, want string }{
		"tenant from an unsigned header":    {schemeExamples["hmac with a time"], "  tenant: [{from: '{header.X-Shop}'}]\n", "identity.tenant[0].from: {header.X-Shop} is not signed under every scheme"},
		"tenant from an unsigned body":      {schemeExamples["segments"], "  tenant: [{from: '{body.shop}'}]\n", "identity.tenant[0].from: {body.shop} is not signed"},
		"tenant under a CRC":                {schemeExamples["rsa, CRC of the body"], "  tenant: [{from: '{body.shop}'}]\n", "{body.shop} is not signed"},
		"tenant signed by one of two":       {schemeExamples["several"], "  tenant: [{from: '{body.shop}'}]\n", "{body.shop} is not signed under every scheme"},
		"identity from a secret":            {token, "  sequence: [{from: '{header.authorization}'}]\n", "which has no place on a record"},
		"identity with the filter sign":     {token, "  sequence: [{from: '{body.n|sign}'}]\n", "is or needs a secret"},
		"identity from the secret":          {token, "  sequence: [{from: '{secret}'}]\n", "{secret} cannot be part of an identity"},
		"preserved secret":                  {token, "preserve: [X-A, AUTHORIZATION]\n", "preserve[1]: AUTHORIZATION carries a secret"},
		"preserved nonsense":                {token, "preserve: ['X A']\n", "preserve[0]: "},
		"method":                            {token, "methods: [TRACE]\n", `methods[0]: "TRACE" is not one of`},
		"format":                            {token, "body: {formats: [xml]}\n", `body.formats[0]: "xml" is not one of json, form, empty`},
		"form field without forms":          {token, "body: {form: payload}\n", "body.form: formats does not allow a form"},
		"batch of a form":                   {token, "body: {formats: [form], batch: ['*', 'a.*']}\n", `body.batch[1]: "a.*" may be a field of a form`},
		"batch of no array":                 {token, "body: {batch: [items]}\n", `body.batch[0]: "items" must end in *`},
		"answer's status":                   {token, "answer: {status: 404}\n", "answer.status: must be from 200 to 299"},
		"answer without a type":             {token, "answer: {body: ok}\n", "answer.content_type: "},
		"answer with a secret":              {token, "answer: {content_type: text/plain, body: '{secret}'}\n", "answer.body: {secret} belongs in verify.signed only"},
		"signed answer without hmac":        {token, "answer: {content_type: text/plain, body: '{body.x|sign}'}\n", "answer.body: the filter sign needs a scheme hmac"},
		"handshake without a name":          {token, "handshakes: [{method: GET}]\n", "handshakes[0].name: "},
		"handshake of every webhook":        {token, "handshakes: [{name: a}]\n", "handshakes[0].when: without a condition every webhook"},
		"handshake's method":                {token, "handshakes: [{name: a, method: get}]\n", `handshakes[0].method: "get" is not one of`},
		"handshakes of one name":            {token, "handshakes: [{name: a, method: GET}, {name: a, method: HEAD}]\n", "handshakes[1].name: another"},
		"confirmation of anybody":           {token, "handshakes: [{name: a, when: {body.t: c}, unverified: true, action: confirm, url: '{body.u}', hosts: [a.example]}]\n", "handshakes[0].unverified: only a verified"},
		"confirmation anywhere":             {token, "handshakes: [{name: a, when: {body.t: c}, action: confirm, url: '{body.u}'}]\n", "handshakes[0].hosts: names no host"},
		"confirmation of nothing":           {token, "handshakes: [{name: a, when: {body.t: c}, action: confirm, hosts: [a.example]}]\n", "handshakes[0].url: refers to no part"},
		"hosts for nothing":                 {token, "handshakes: [{name: a, when: {body.t: c}, hosts: [a.example]}]\n", "handshakes[0].url: url and hosts are for"},
		"verify token of nothing":           {token, "handshakes: [{name: a, when: {body.t: c}, token: x}]\n", "handshakes[0].token: refers to no part"},
		"unknown action":                    {token, "handshakes: [{name: a, when: {body.t: c}, action: call}]\n", `handshakes[0].action: "call" is not one of confirm, capture`},
		"optional reference in a condition": {token, "handshakes: [{name: a, when: {'body.t?': c}}]\n", "handshakes[0].when.body.t?: what may be absent"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := withVerify(c.verify, "")
			if strings.HasPrefix(c.more, "  ") { // a part of the identity
				text = strings.Replace(text, "identity:\n", "identity:\n"+c.more, 1)
			} else {
				text += c.more
			}
			_, err := Parse("acme.yaml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func parse(t *testing.T, text string) *Definition {
	t.Helper()
	d, err := Parse("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDefaults(t *testing.T) {
	d := parse(t, withVerify(schemeExamples["basic"], `handshakes:
  - {name: a, method: GET, answer: {content_type: text/plain, body: "{query.c}"}}
  - {name: b, when: {body.t: c}}
answer: {}
`))
	v, get, post := d.Verify[0], d.Handshakes[0], d.Handshakes[1]
	if v.Signature.Header != "Authorization" || v.Secret.Encoding != "raw" {
		t.Errorf("verify %+v", v)
	}
	if !get.Unverified || get.Answer.Status != 200 || post.Unverified || post.Method != "POST" || d.Answer.Status != 200 {
		t.Errorf("handshakes %+v, answer %+v", d.Handshakes, d.Answer)
	}
	if !slices.Equal(d.Methods, []string{"POST"}) || !slices.Equal(d.Body.Formats, []Format{JSON}) {
		t.Errorf("methods %v, formats %v", d.Methods, d.Body.Formats)
	}
}

func TestWhatARecordNeeds(t *testing.T) {
	d := parse(t, withVerify(`  - name: signed
    scheme: hmac
    when: {header.X-Version: v2}
    algorithm: sha256
    encoding: hex
    signature: {header: X-Sig-*}
    timestamp: {header: X-TIME, unit: s, tolerance: 5m}
    signed: "{method}{query.id}{timestamp}{header.x-time}{body}"
    secret: {encoding: raw}
  - {name: clear, scheme: token, weaker: {why: it is the secret}, signature: {header: X-Token}, unsigned_body: true}
`, `preserve: [X-Extra, x-version]
handshakes:
  - {name: a, when: {body.kind: ping, header.X-Ping: "*"}, token: "{body.token}", answer: {content_type: text/plain, body: "{body.challenge}"}}
answer: {content_type: text/plain, body: "{body.answer}"}
`))
	if got, want := d.RequestHeaders(), []string{"X-Version", "x-time", "X-Sig-*", "X-Extra"}; !slices.Equal(got, want) {
		t.Errorf("headers %v, want %v", got, want)
	}
	if got, want := d.BodyPaths(), []string{"id", "type", "customer", "kind", "token", "challenge", "answer"}; !slices.Equal(got, want) {
		t.Errorf("body paths %v, want %v", got, want)
	}
	signed, clear := &d.Verify[0], &d.Verify[1]
	if !d.KeepsMethod(signed) || !d.KeepsURL(signed) || d.KeepsMethod(clear) || d.KeepsURL(clear) {
		t.Error("keeps the wrong parts of the request")
	}
	if signed.ClearSecret() || !clear.ClearSecret() {
		t.Error("does not know what is a secret in the clear")
	}
	d.Verify[1].Signature = Location{Query: "token"}
	if d.KeepsURL(signed) {
		t.Error("keeps a URL that may hold a token")
	}
}

func TestCovers(t *testing.T) {
	verify := func(signed string) *Verify {
		tmpl, err := ParseTemplate(signed)
		if err != nil {
			t.Fatal(err)
		}
		return &Verify{Scheme: HMAC, Signed: Segments{{Template: tmpl}}}
	}
	cases := []struct {
		v    *Verify
		ref  string
		want bool
	}{
		{verify("{body}"), "body.a.b", true},
		{verify("{body}"), "header.x", false},
		{verify("{body|crc32}"), "body", false},
		{verify("{body|hide}"), "body", false},
		{verify("{body.a}"), "body.a", true},
		{verify("{body.a}"), "body.b", false},
		{verify("{body.a}"), "body", false},
		{verify("{url}"), "query.a", true},
		{verify("{url}"), "body", false},
		{verify("{header.X-A}"), "header.x-a", true},
		{verify("{query.a}"), "query.A", false},
		{&Verify{Scheme: Twilio}, "body.a", true},
		{&Verify{Scheme: Twilio}, "header.x", false},
		{&Verify{Scheme: MTLS}, "header.x", true},
		{&Verify{Scheme: Token}, "body", false},
	}
	for _, c := range cases {
		ref, err := ParseRef(c.ref)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.v.Covers(ref); got != c.want {
			t.Errorf("%s %v covers {%s}: %v", c.v.Scheme, c.v.Signed, c.ref, got)
		}
	}
}
