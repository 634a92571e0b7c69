// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/schemas/provider"
)

// configure lists what to set where to connect the provider.
func configure(def *provider.Definition) []Setting {
	out := []Setting{
		{"URL at the provider", fmt.Sprintf("`https://HOST/webhooks/%s`, or `https://HOST/webhooks/TENANT/%[1]s`", def.Provider)},
	}
	for _, what := range secretTexts(def) {
		out = append(out, Setting{fmt.Sprintf("`$HOOKSTREAM_SECRETS_DIR/TENANT/%s`", def.Provider), what})
	}
	for i := range def.Handshakes {
		if def.Handshakes[i].Token != nil {
			out = append(out, Setting{
				fmt.Sprintf("`$HOOKSTREAM_SECRETS_DIR/TENANT/%s.verify-token`", def.Provider),
				"the verify token, which you choose and enter at the provider too",
			})
			break
		}
	}
	if signsURL(def) {
		out = append(out, Setting{"`HOOKSTREAM_PUBLIC_URL`", "the scheme and host that the provider calls, where a proxy changes them: the URL is signed"})
	}
	return out
}

// secretTexts are the kinds of secrets, each with the schemes that it is for
// unless that is all of them.
func secretTexts(def *provider.Definition) []string {
	var texts []string
	names := map[string][]string{}
	for i := range def.Verify {
		text := secretText(&def.Verify[i])
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], def.Verify[i].Name)
	}
	for i, text := range texts {
		if len(texts) > 1 {
			texts[i] += " (" + strings.Join(names[text], ", ") + ")"
		}
	}
	return texts
}

// secretText says what a line of the secret's file holds.
func secretText(v *provider.Verify) string {
	switch v.Scheme {
	case provider.RSA:
		return "what `{secret}` stands for in the signed content, which tells your webhooks from those of others (see below)"
	case provider.Ed25519, provider.ECDSA:
		return "the provider's public key" + decoding(&v.Secret)
	case provider.JSONWebToken:
		return "what the token's claims " + codes(v.JWT.Secret) + " must be, separated by spaces"
	case provider.Token:
		return "the token that requests carry" + decoding(&v.Secret)
	case provider.Basic:
		return "`user:password`"
	case provider.MTLS:
		return "the common, DNS or URI name in the client's certificate"
	}
	return "the signing secret" + decoding(&v.Secret)
}

// decoding says how the text becomes the key.
func decoding(s *provider.Secret) string {
	var b strings.Builder
	switch s.Encoding {
	case "base64", "hex":
		b.WriteString(", in " + s.Encoding)
	default:
		b.WriteString(", as text")
	}
	switch {
	case s.Prefix != "" && s.Required:
		fmt.Fprintf(&b, " after %s", code(s.Prefix))
	case s.Prefix != "":
		fmt.Fprintf(&b, ", with or without its %s", code(s.Prefix))
	}
	return b.String()
}

func signsURL(def *provider.Definition) bool {
	for i := range def.Verify {
		if def.Verify[i].Scheme == provider.Twilio {
			return true
		}
		for _, ref := range def.Verify[i].Signed.Refs() {
			if ref.Kind == provider.RefURL {
				return true
			}
		}
	}
	return false
}
