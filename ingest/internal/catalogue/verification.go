// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/provider"
)

// scheme describes one way to verify in one sentence.
func scheme(v *provider.Verify) string {
	var b strings.Builder
	if len(v.When) > 0 {
		fmt.Fprintf(&b, "Where %s: ", conditions(v.When))
	}
	b.WriteString(proof(v))
	if t := v.Timestamp; t != nil {
		fmt.Fprintf(&b, "; the time in %s (%s) %s", location(&t.Location), unit(t.Unit), freshness(t.Tolerance))
	}
	if v.PerItem {
		b.WriteString("; every item of a batch by itself")
	}
	if v.UnsignedBody {
		b.WriteString("; " + uncovered(v))
	}
	return b.String()
}

// weaker says what becomes of a scheme that would give a stronger one away, or
// nothing of one that does not.
func weaker(v *provider.Verify) string {
	switch {
	case v.Weaker == nil:
		return ""
	case v.Weaker.Accepted != "":
		return fmt.Sprintf("%s; taken all the same: %s", v.Weaker.Why, v.Weaker.Accepted)
	}
	return fmt.Sprintf("%s; taken only where no secret fits a stronger scheme, or where `HOOKSTREAM_WEAKER_SCHEMES` names %s", v.Weaker.Why, code(v.Name))
}

// uncovered warns of what anyone can change who has seen one request.
func uncovered(v *provider.Verify) string {
	for _, ref := range v.Signed.Refs() {
		if ref.Kind == provider.RefBodyPath {
			return "nothing else in the body is covered"
		}
	}
	return "the body is not covered"
}

// proof is what the request must carry.
func proof(v *provider.Verify) string {
	at := location(&v.Signature)
	hash := strings.ToUpper(strings.Replace(v.Algorithm, "sha", "sha-", 1))
	switch v.Scheme {
	case provider.HMAC:
		return fmt.Sprintf("HMAC-%s of %s in %s, in %s", strings.ToUpper(v.Algorithm), signed(v.Signed), v.Encoding, at)
	case provider.Hash:
		return fmt.Sprintf("%s of %s in %s, in %s", hash, signed(v.Signed), v.Encoding, at)
	case provider.Ed25519:
		return fmt.Sprintf("Ed25519 signature of %s in %s, in %s", signed(v.Signed), v.Encoding, at)
	case provider.ECDSA:
		return fmt.Sprintf("ECDSA signature (P-256, SHA-256) of %s in %s, in %s", signed(v.Signed), v.Encoding, at)
	case provider.RSA:
		return fmt.Sprintf("RSA signature (PKCS #1 v1.5, %s) of %s in %s, in %s, by %s", hash, signed(v.Signed), v.Encoding, at, certificate(v.Certificate))
	case provider.JSONWebToken:
		return fmt.Sprintf("JSON Web Token (%s) in %s, under a key of %s, issued by %s", strings.Join(v.JWT.Algorithms, ", "), at, v.JWT.Keys, codes(v.JWT.Issuers))
	case provider.Twilio:
		return fmt.Sprintf("HMAC-SHA1 in %s, in %s, of the URL and the sorted form, or of the URL whose query holds the SHA-256 of a JSON body", v.Encoding, at)
	case provider.Token:
		return "a fixed token in " + at
	case provider.Basic:
		return "user and password (RFC 7617) in " + at
	case provider.MTLS:
		return "the name in the verified client certificate of the TLS connection"
	}
	return string(v.Scheme)
}

func certificate(c *provider.Certificate) string {
	text := fmt.Sprintf("the certificate at %s, which must be on %s and belong to %s", code(c.URL.String()), hosts(c.Hosts), codes(c.Subjects))
	if c.Unchained {
		return text + " (the host vouches for it: it comes without those above it)"
	}
	return text + ", chained to a trusted root"
}

// signed shows optional segments in square brackets.
func signed(segments provider.Segments) string {
	var b strings.Builder
	for _, s := range segments {
		if s.Optional {
			b.WriteString("[" + s.Template.String() + "]")
			continue
		}
		b.WriteString(s.Template.String())
	}
	text := strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(b.String())
	return code(text)
}

// location describes where in a request something is.
func location(l *provider.Location) string {
	var text string
	switch {
	case l.Header != "":
		text = "header " + code(l.Header)
	case l.Query != "":
		text = "query parameter " + code(l.Query)
	case l.Body != "":
		text = "body field " + code(l.Body)
	}
	if l.Prefix != "" {
		text += " after " + code(l.Prefix)
	}
	return text
}

func freshness(tolerance time.Duration) string {
	if tolerance == 0 {
		return "is not checked"
	}
	return "must lie within " + duration(tolerance) + " of now"
}

// duration is 5m rather than 5m0s.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// hosts names pinned hosts, or of many only how many.
func hosts(patterns []string) string {
	if len(patterns) > 3 {
		return fmt.Sprintf("one of %d pinned hosts such as %s", len(patterns), code(patterns[0]))
	}
	return codes(patterns)
}

func conditions(list provider.Conditions) string {
	var parts []string
	for _, c := range list {
		at := code(c.Ref.String())
		switch c.Value {
		case "*":
			parts = append(parts, at+" is there")
		case "":
			parts = append(parts, at+" is not there")
		default:
			parts = append(parts, at+" is "+code(c.Value))
		}
	}
	return strings.Join(parts, " and ")
}

// handshake describes a request that is answered and not stored.
func handshake(h *provider.Handshake) string {
	var b strings.Builder
	method := h.Method
	if method == "" {
		method = "POST"
	}
	b.WriteString(method)
	if len(h.When) > 0 {
		b.WriteString(" in which " + conditions(h.When))
	}
	if h.Token != nil {
		fmt.Fprintf(&b, ", with the verify token in %s", code(h.Token.String()))
	}
	fmt.Fprintf(&b, ": answered %s", answer(&h.Answer))
	switch h.Action {
	case provider.Confirm:
		fmt.Fprintf(&b, "; %s on %s is requested where HOOKSTREAM_OUTBOUND is all, else it is stored for an operator", code(h.URL.String()), hosts(h.Hosts))
	case provider.Capture:
		b.WriteString("; the secret in it is kept for an operator to put in force")
	}
	if !h.Unverified && method == "POST" {
		b.WriteString("; must be signed")
	}
	return b.String()
}
