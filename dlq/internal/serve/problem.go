// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"net/http"

	"github.com/hookstream/hookstream/stage/problem"
)

// page explains the problems, with a heading for each.
const page = "https://github.com/hookstream/hookstream/blob/main/docs/dlq-api.md"

// The problems.
var (
	invalidRequest   = problem.Type{Page: page, Slug: "invalid-request", Title: "The request is not valid", Status: http.StatusBadRequest}
	unauthorized     = problem.Type{Page: page, Slug: "unauthorized", Title: "The caller is not known", Status: http.StatusUnauthorized}
	forbidden        = problem.Type{Page: page, Slug: "forbidden", Title: "The caller may not do this", Status: http.StatusForbidden}
	notFound         = problem.Type{Page: page, Slug: "not-found", Title: "There is no such thing", Status: http.StatusNotFound}
	methodNotAllowed = problem.Type{Page: page, Slug: "method-not-allowed", Title: "The resource does not know this method", Status: http.StatusMethodNotAllowed}
	busy             = problem.Type{Page: page, Slug: "busy", Title: "Another change is being carried out", Status: http.StatusConflict}
	tooMany          = problem.Type{Page: page, Slug: "too-many", Title: "More dead letters match than may be changed or tried", Status: http.StatusConflict}
	tooLarge         = problem.Type{Page: page, Slug: "too-large", Title: "The request body is too large", Status: http.StatusRequestEntityTooLarge}
	tooManyAttempts  = problem.Type{Page: page, Slug: "too-many-attempts", Title: "Too many tokens were wrong", Status: http.StatusTooManyRequests}
	overloaded       = problem.Type{Page: page, Slug: "overloaded", Title: "Too many requests are in hand", Status: http.StatusServiceUnavailable}
	unavailable      = problem.Type{Page: page, Slug: "unavailable", Title: "What is needed to answer is away", Status: http.StatusServiceUnavailable}
)

// Problems are all of them.
func Problems() []problem.Type {
	return []problem.Type{invalidRequest, unauthorized, forbidden, notFound, methodNotAllowed, busy, tooMany, tooLarge, tooManyAttempts, overloaded, unavailable}
}

// refusal is one occurrence, as an error.
type refusal struct {
	problem.Type
	// Detail says what is wrong with this request and what to do.
	Detail string
	err    error
}

// Error is for the log.
func (r *refusal) Error() string { return r.Slug + ": " + r.Detail }

// Unwrap is the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(t problem.Type, format string, args ...any) *refusal {
	err := fmt.Errorf(format, args...)
	return &refusal{t, err.Error(), err}
}

// write answers with problem details.
func (r *refusal) write(w http.ResponseWriter, req *http.Request) {
	switch r.Slug {
	case overloaded.Slug, unavailable.Slug, busy.Slug:
		w.Header().Set("Retry-After", "5")
	}
	_ = problem.Problem{
		Type: r.Type, Detail: r.Detail, Instance: req.URL.EscapedPath(), CorrelationID: correlationOf(req.Context()),
	}.Write(w) // the client has gone; nobody is left to tell
}
