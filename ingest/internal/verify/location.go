// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

const (
	// maxNumbered is how far headers are numbered, as DocuSign's are.
	maxNumbered = 100
	// maxItems bounds the work on one location.
	maxItems = 101
)

// location is a place in requests, compiled.
type location struct {
	spec    *provider.Location
	headers []string
}

func newLocation(spec *provider.Location) location {
	l := location{spec: spec}
	for _, name := range spec.Headers() {
		stem, numbered := strings.CutSuffix(name, "*")
		if !numbered {
			l.headers = append(l.headers, http.CanonicalHeaderKey(name))
			continue
		}
		for n := range maxNumbered {
			l.headers = append(l.headers, http.CanonicalHeaderKey(stem+strconv.Itoa(n+1)))
		}
	}
	return l
}

// texts yields what is at the location, before it is split: every field of every
// header, or the one value in the query or the body.
func (l *location) texts(req *request.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range l.headers {
			for _, text := range req.Headers(name) {
				if text != "" && !yield(text) {
					return
				}
			}
		}
		text := ""
		switch {
		case l.spec.Query != "":
			text = req.Query().Get(l.spec.Query)
		case l.spec.Body != "":
			text, _ = req.Field(l.spec.Body)
		}
		if text != "" {
			yield(text)
		}
	}
}

// items yields the items after the split that have the prefix, without it.
// Empty ones are skipped, and those beyond maxItems.
func (l *location) items(req *request.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for text := range l.texts(req) {
			for item := range split(l.spec, text) {
				if n++; n > maxItems || !yield(item) {
					return
				}
			}
		}
	}
}

func split(spec *provider.Location, text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest, more := text, true; more; {
			item := rest
			// Without a separator the whole text is one item.
			if more = spec.Separator != ""; more {
				item, rest, more = strings.Cut(rest, spec.Separator)
			}
			item, ok := strings.CutPrefix(strings.TrimSpace(item), spec.Prefix)
			if ok && item != "" && !yield(item) {
				return
			}
		}
	}
}

// first is the first item, or "".
func (l *location) first(req *request.Request) string {
	for item := range l.items(req) {
		return item
	}
	return ""
}

// occupied reports whether there is anything at all, be it without the prefix.
func (l *location) occupied(req *request.Request) bool {
	for range l.texts(req) {
		return true
	}
	return false
}

// String names the location for an answer.
func (l *location) String() string {
	switch {
	case l.spec.Header != "":
		return "the header " + l.spec.Header
	case l.spec.Query != "":
		return "the query parameter " + l.spec.Query
	}
	return "the body's " + l.spec.Body
}

// withPrefix continues a sentence about what is missing.
func (l *location) withPrefix() string {
	if l.spec.Prefix == "" {
		return ""
	}
	return fmt.Sprintf(" after %q", l.spec.Prefix)
}
