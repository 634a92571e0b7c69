// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// typeBase is where the types of problems are explained, one heading each.
const typeBase = "https://github.com/hookstream/hookstream/blob/main/docs/dlq-api.md#"

// Problem is a kind of error answer (RFC 9457). Its status and title never vary.
type Problem struct {
	Slug, Title string
	Status      int
}

// URI identifies the kind and leads to its explanation.
func (p Problem) URI() string { return typeBase + p.Slug }

// The problems.
var (
	invalidRequest   = Problem{"invalid-request", "The request is not valid", http.StatusBadRequest}
	unauthorized     = Problem{"unauthorized", "The caller is not known", http.StatusUnauthorized}
	forbidden        = Problem{"forbidden", "The caller may not do this", http.StatusForbidden}
	notFound         = Problem{"not-found", "There is no such thing", http.StatusNotFound}
	methodNotAllowed = Problem{"method-not-allowed", "The resource does not know this method", http.StatusMethodNotAllowed}
	busy             = Problem{"busy", "Another change is being carried out", http.StatusConflict}
	tooMany          = Problem{"too-many", "More dead letters would be changed than was agreed to", http.StatusConflict}
	tooLarge         = Problem{"too-large", "The request body is too large", http.StatusRequestEntityTooLarge}
	overloaded       = Problem{"overloaded", "Too many requests are in hand", http.StatusServiceUnavailable}
	unavailable      = Problem{"unavailable", "What is needed to answer is away", http.StatusServiceUnavailable}
)

// Problems are all of them.
func Problems() []Problem {
	return []Problem{invalidRequest, unauthorized, forbidden, notFound, methodNotAllowed, busy, tooMany, tooLarge, overloaded, unavailable}
}

// refusal is one occurrence, as an error.
type refusal struct {
	Problem
	// Detail says what is wrong with this request and what to do.
	Detail string
	err    error
}

// Error is for the log.
func (r *refusal) Error() string { return r.Slug + ": " + r.Detail }

// Unwrap is the cause.
func (r *refusal) Unwrap() error { return r.err }

func (p Problem) because(format string, args ...any) *refusal {
	err := fmt.Errorf(format, args...)
	return &refusal{p, err.Error(), err}
}

// write answers with problem details.
func (r *refusal) write(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	switch r.Slug {
	case overloaded.Slug, unavailable.Slug, busy.Slug:
		h.Set("Retry-After", "5")
	}
	data, err := json.Marshal(struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance"`
	}{r.URI(), r.Title, r.Status, r.Detail, req.URL.EscapedPath()})
	if err != nil { // it is text and a number
		panic(err)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(r.Status)
	_, _ = w.Write(data) // the client has gone; nobody is left to tell
}
