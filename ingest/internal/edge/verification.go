// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/record"
)

// genuine verifies the request and takes it apart: as a whole before it is
// parted, or webhook by webhook where each is signed by itself. Then one that is
// not genuine refuses them all, for the sender gets one answer.
func (h *Handler) genuine(x *exchange, req *request.Request) (*batch, evidence, *refusal) {
	if x.compiled.verifier.PerItem(req, x.keys) {
		b, refused := h.split(x, req)
		if refused != nil {
			return nil, evidence{}, refused
		}
		if b.defect != "" {
			return nil, evidence{}, refuse(tooLarge, "the request holds too many webhooks to verify each; send fewer at once")
		}
		proof, refused := h.verify(x, b.webhooks)
		return b, proof, refused
	}
	proof, refused := h.verify(x, []*request.Request{req})
	if refused != nil {
		return nil, evidence{}, refused
	}
	b, refused := h.split(x, req)
	return b, proof, refused
}

// verify checks the signature of every request. A request without webhooks has
// none.
func (h *Handler) verify(x *exchange, requests []*request.Request) (evidence, *refusal) {
	var proof evidence
	for i, req := range requests {
		result, err := x.compiled.verifier.Verify(x.ctx, req, x.keys, x.received)
		if err != nil {
			return evidence{}, unverified(x.compiled, err)
		}
		if i == 0 {
			proof = x.compiled.evidence(req, result)
		}
	}
	return proof, nil
}

// evidence is what a record keeps of how its request was verified, so that it
// can be verified again.
type evidence struct {
	verification record.Verification
	method, url  string
	headers      map[string]string
	contentType  string
}

func (c *compiled) evidence(req *request.Request, result verify.Result) evidence {
	e := evidence{
		verification: record.Verification{Scheme: result.Scheme, KeyID: result.KeyID},
		headers:      c.kept(req),
	}
	if ct := req.Header("Content-Type"); printable(ct, maxContentType) {
		e.contentType = ct
	}
	needs := c.needs[result.By]
	if needs.method {
		e.method = req.Method()
	}
	if needs.url {
		if url := req.URL(); printable(url, maxRequestHeader) {
			e.url = url
		}
	}
	return e
}

// put writes the evidence on a record.
func (e *evidence) put(w *record.Webhook) {
	w.Verification, w.Method, w.URL = e.verification, e.method, e.url
	w.Request, w.ContentType = e.headers, e.contentType
}

// unverified tells the sender the cause and nothing about the secrets.
func unverified(c *compiled, err error) *refusal {
	var cause *verify.Error
	if !errors.As(err, &cause) {
		cause = &verify.Error{Cause: verify.SignatureMismatch, Detail: "the signature could not be checked"}
	}
	if cause.Cause == verify.KeysUnavailable {
		return refuse(keysUnavailable, "%s", cause.Error()).with("Retry-After", retryAfter).because(cause.Err)
	}
	r := refuse(invalidSignature, "%s", cause.Error()).with("WWW-Authenticate", c.challenge)
	r.outcome = string(cause.Cause)
	return r
}
