// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func (d *Definition) validateHandshakes(p *problems) {
	seen := map[string]bool{}
	for i := range d.Handshakes {
		h := &d.Handshakes[i]
		at := under(p, "handshakes", i)
		if !ValidName(h.Name) {
			at.add(notAName(h.Name), "name")
		}
		if seen[h.Name] {
			at.add("another handshake has this name", "name")
		}
		seen[h.Name] = true
		d.validateHandshake(at, h)
	}
}

func (d *Definition) validateHandshake(at scope, h *Handshake) {
	oneOf(at, h.Method, true, methods, "method")
	if len(h.When) == 0 && slices.Contains(d.Methods, h.Method) {
		at.add("without a condition every webhook would be this handshake", "when")
	}
	validateConditions(at, h.When, "when")
	oneOf(at, h.Action, h.Action != "", []Action{Confirm, Capture}, "action")
	if h.Token != nil && len(h.Token.Refs()) == 0 {
		at.add("refers to no part of the request", "token")
	}
	if h.Action == Confirm {
		if h.Unverified {
			at.add("only a verified request may make us connect to a URL", "unverified")
		}
		if len(h.URL.Refs()) == 0 {
			at.add("refers to no part of the request", "url")
		}
		validateRequestRefs(at, h.URL.Refs(), "url")
		validateHosts(at, h.Hosts, "hosts")
	} else if !h.URL.IsZero() || len(h.Hosts) > 0 {
		at.add("url and hosts are for the action "+string(Confirm), "url")
	}
	d.validateAnswer(at, &h.Answer, "answer")
}

func (d *Definition) validateAnswer(at scope, a *Answer, path ...any) {
	field := func(name string) []any { return append(slices.Clone(path), name) }
	if a.Status < 200 || a.Status > 299 {
		at.add("must be from 200 to 299", field("status")...)
	}
	if a.ContentType == "" && !a.Body.IsZero() {
		at.add("a body needs its content type", field("content_type")...)
	}
	if strings.ContainsAny(a.ContentType, "\r\n") {
		at.add("must be one line", field("content_type")...)
	}
	hasHMAC := slices.ContainsFunc(d.Verify, func(v Verify) bool { return v.Scheme == HMAC })
	for _, ref := range a.Body.Refs() {
		if slices.Contains(ref.Filters, Sign) && !hasHMAC {
			at.add(fmt.Sprintf("the filter %s needs a scheme %s", Sign, HMAC), field("body")...)
		}
	}
	validateParts(at, a.Body.Refs(), field("body")...)
}

func validateConditions(at scope, c Conditions, path ...any) {
	for i := range c {
		name := append(slices.Clone(path), c[i].Ref.String())
		validateRequestRefs(at, []Ref{c[i].Ref}, name...)
		if c[i].Ref.Optional {
			at.add(`what may be absent is written as "", not with ?`, name...)
		}
	}
}

// validateRequestRefs allows what every request has before it is verified.
func validateRequestRefs(at scope, refs []Ref, path ...any) {
	validateParts(at, refs, path...)
	for _, ref := range refs {
		if slices.Contains(ref.Filters, Sign) {
			at.add(fmt.Sprintf("{%s}: the filter %s is for the answers of handshakes", ref, Sign), path...)
		}
	}
}

// validateParts allows parts of a request only, and so no secret. The whole body is
// for signing: it is never copied into text.
func validateParts(at scope, refs []Ref, path ...any) {
	for _, ref := range refs {
		if ref.Kind == RefSecret || ref.Kind == RefTimestamp || ref.Kind == RefBody {
			at.add(fmt.Sprintf("{%s} belongs in verify.signed only", ref), path...)
		}
	}
}
