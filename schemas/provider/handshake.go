// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"html"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Handshake is a request by which a provider checks the endpoint. It is
// answered and not stored.
type Handshake struct {
	Name string `yaml:"name"`
	// Method is POST where the file has none.
	Method string     `yaml:"method"`
	When   Conditions `yaml:"when"`
	// Unverified answers before the signature is looked at. It is implied for
	// other methods than POST.
	Unverified bool `yaml:"unverified"`
	// Token must equal the pair's verify token, which is configured beside
	// the secrets, where it is set.
	Token *Template `yaml:"token"`
	// Action is what is done besides answering; empty is nothing.
	Action Action `yaml:"action"`
	// URL and Hosts are where a confirmation goes.
	URL    Template `yaml:"url"`
	Hosts  []string `yaml:"hosts"`
	Answer Answer   `yaml:"answer"`
}

// Action is what a handshake asks for besides an answer.
type Action string

// The actions.
const (
	// Confirm requests the handshake's URL, on one of its hosts, where
	// outbound requests are allowed. Where they are not, the request is
	// stored like a webhook for an operator to find.
	Confirm Action = "confirm"
	// Capture keeps the secret that the provider sends, for an operator to
	// put in force.
	Capture Action = "capture"
)

// Answer is a response. References in the body are escaped as the content type
// demands.
type Answer struct {
	// Status is 200 where the file has none.
	Status      int      `yaml:"status"`
	ContentType string   `yaml:"content_type"`
	Body        Template `yaml:"body"`
}

// Render fills the body in. It reports false where a reference does not resolve;
// sign is the filter of that name, and may be nil.
func (a *Answer) Render(lookup Lookup, sign func(string) (string, bool)) (string, bool) {
	return Expander{Lookup: lookup, Sign: sign, Escape: a.escape()}.Expand(a.Body)
}

// escape keeps what a sender chose from being more than text in the answer.
func (a *Answer) escape() func(string) string {
	kind, _, _ := strings.Cut(a.ContentType, ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return escapeJSON
	case kind == "text/html", kind == "application/xml", kind == "text/xml", strings.HasSuffix(kind, "+xml"):
		return html.EscapeString
	}
	return nil
}

// escapeJSON writes text as it stands between the quotes of a JSON string.
func escapeJSON(text string) string {
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil { // invalid UTF-8, written with replacement characters
		quoted, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\ufffd"))
	}
	return string(quoted[1 : len(quoted)-1])
}
