// SPDX-License-Identifier: Apache-2.0

// Package evidence verifies stored webhooks again: it puts the request together
// from what its records keep, and checks it as the edge did, at the time at which
// the edge did.
package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// Outcome is what became of the check.
type Outcome string

// The outcomes.
const (
	// Verified: the request is what a configured key signed.
	Verified Outcome = "verified"
	// NotVerified: it is not, although everything is there to tell.
	NotVerified Outcome = "not_verified"
	// CannotTell: something that it takes is not there, by design or any more.
	CannotTell Outcome = "cannot_tell"
)

// Verdict is the outcome and why.
type Verdict struct {
	Outcome Outcome
	// Scheme and KeyID are of the key that verified it now.
	Scheme, KeyID string
	Reason        string
}

func cannotTell(format string, args ...any) Verdict {
	return Verdict{Outcome: CannotTell, Reason: fmt.Sprintf(format, args...)}
}

// Checker checks the records of one provider.
type Checker struct {
	def      *provider.Definition
	verifier *verify.Verifier
	fields   *request.Fields
}

// NewChecker makes a Checker.
func NewChecker(def *provider.Definition, verifier *verify.Verifier) *Checker {
	return &Checker{def, verifier, request.NewFields(def)}
}

// NeedsBatch reports whether w can only be checked together with the other
// records of its request: it is one of several, which were not signed one by one.
func (c *Checker) NeedsBatch(w *record.Webhook) bool {
	spec := c.spec(w)
	return w.Batch != nil && w.Batch.Count > 1 && (spec == nil || !spec.PerItem)
}

// Provable reports whether the scheme that verified w leaves evidence at all.
func (c *Checker) Provable(w *record.Webhook) bool { return unprovable(c.spec(w)) == "" }

// Check checks a webhook under keys. Records are all those of its request, itself
// among them, where NeedsBatch; otherwise itself.
func (c *Checker) Check(ctx context.Context, w *record.Webhook, records []*record.Webhook, keys []verify.Key) Verdict {
	spec := c.spec(w)
	if text := unprovable(spec); text != "" {
		return cannotTell("%s", text)
	}
	if len(keys) == 0 {
		return cannotTell("no secret is configured for %s/%s", w.Tenant, w.Provider)
	}
	data := w.Body
	if spec == nil || !spec.PerItem {
		var err error
		if data, err = record.Whole(records); err != nil {
			return cannotTell("the request cannot be put together: %v", err)
		}
	}
	r, err := c.request(ctx, w, data)
	if err != nil {
		return cannotTell("%v", err)
	}
	result, err := c.verifier.Verify(ctx, r, keys, w.ReceivedAt)
	if err != nil {
		return c.refused(w, keys, err)
	}
	return Verdict{Outcome: Verified, Scheme: result.Scheme, KeyID: result.KeyID}
}

// spec is the scheme that verified the request, or nil where the definition has it
// no more or the record does not say.
func (c *Checker) spec(w *record.Webhook) *provider.Verify {
	for i := range c.def.Verify {
		v := &c.def.Verify[i]
		if v.Name == w.Verification.Scheme || v.Name == "" && string(v.Scheme) == w.Verification.Scheme {
			return v
		}
	}
	return nil
}

// unprovable says why requests under a scheme leave nothing to check, or "".
func unprovable(v *provider.Verify) string {
	switch {
	case v == nil:
		return ""
	case v.Scheme == provider.MTLS:
		return "the client certificate belonged to the connection, and is not stored"
	case v.ClearSecret():
		return fmt.Sprintf("the scheme %s sends its secret, which is never stored", v.Scheme)
	}
	return ""
}

// request puts the request together. Method and URL are on the record where the
// signature covers them; otherwise they do not matter.
func (c *Checker) request(ctx context.Context, w *record.Webhook, data []byte) (*request.Request, error) {
	method, text := w.Method, w.URL
	if method == "" {
		method = http.MethodPost
	}
	if text == "" {
		text = "https://unknown.invalid/webhooks/" + url.PathEscape(w.Provider)
	}
	r, err := http.NewRequestWithContext(ctx, method, text, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the stored URL cannot be read: %w", err)
	}
	for name, value := range w.Request {
		for _, field := range c.headerFields(name, value) {
			r.Header.Add(name, field)
		}
	}
	if w.ContentType != "" {
		r.Header.Set("Content-Type", w.ContentType)
	}
	return request.New(r, data, c.fields, ""), nil
}

// headerFields takes a signature header that was sent several times apart. A
// scheme with a separator of its own does so itself.
func (c *Checker) headerFields(name, value string) []string {
	for i := range c.def.Verify {
		at := &c.def.Verify[i].Signature
		if at.Separator == "" && slices.ContainsFunc(at.Headers(), func(h string) bool { return strings.EqualFold(h, name) }) {
			return strings.Split(value, at.FieldSeparator())
		}
	}
	return []string{value}
}

// refused tells what is wrong with the request from what is missing to tell.
func (c *Checker) refused(w *record.Webhook, keys []verify.Key, err error) Verdict {
	var e *verify.Error
	if !errors.As(err, &e) {
		return cannotTell("%v", err)
	}
	switch e.Cause {
	case verify.KeysUnavailable:
		return cannotTell("%v: %v", e, e.Err)
	case verify.MissingSignature, verify.MissingTimestamp, verify.MissingPart:
		return cannotTell("the record keeps too little: %v", e)
	}
	if id := w.Verification.KeyID; e.Cause == verify.SignatureMismatch && id != "" && !known(keys, id) {
		return cannotTell("it was verified under the key %s, which is not configured any more", id)
	}
	return Verdict{Outcome: NotVerified, Reason: strings.TrimSpace(e.Error())}
}

func known(keys []verify.Key, id string) bool {
	for _, k := range keys {
		if k.HasID(id) {
			return true
		}
	}
	return false
}
