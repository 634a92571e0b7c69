// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hookstream/hookstream/stage/problem"
)

// page explains the problems.
const page = "https://github.com/hookstream/hookstream/blob/main/ingest/README.md"

// The problems that the edge answers with.
var (
	notFound            = problem.Type{Page: page, Slug: "not-found", Title: "No such webhook endpoint", Status: http.StatusNotFound}
	methodNotAllowed    = problem.Type{Page: page, Slug: "method-not-allowed", Title: "Method not allowed", Status: http.StatusMethodNotAllowed}
	tooLarge            = problem.Type{Page: page, Slug: "too-large", Title: "Body too large", Status: http.StatusRequestEntityTooLarge}
	headersTooLarge     = problem.Type{Page: page, Slug: "headers-too-large", Title: "Headers too large", Status: http.StatusRequestHeaderFieldsTooLarge}
	unsupportedEncoding = problem.Type{Page: page, Slug: "unsupported-encoding", Title: "Content-Encoding not supported", Status: http.StatusUnsupportedMediaType}
	requestTimeout      = problem.Type{Page: page, Slug: "request-timeout", Title: "Request timed out", Status: http.StatusRequestTimeout}
	unreadableBody      = problem.Type{Page: page, Slug: "unreadable-body", Title: "Body could not be read", Status: http.StatusBadRequest}
	invalidSignature    = problem.Type{Page: page, Slug: "invalid-signature", Title: "Signature not verified", Status: http.StatusUnauthorized}
	forbidden           = problem.Type{Page: page, Slug: "forbidden", Title: "Not taken from this address", Status: http.StatusForbidden}
	rateLimited         = problem.Type{Page: page, Slug: "rate-limited", Title: "Too many requests in a short time", Status: http.StatusTooManyRequests}
	overloaded          = problem.Type{Page: page, Slug: "overloaded", Title: "Too many requests at once", Status: http.StatusServiceUnavailable}
	keysUnavailable     = problem.Type{Page: page, Slug: "keys-unavailable", Title: "Signature could not be checked", Status: http.StatusServiceUnavailable}
	notAcknowledged     = problem.Type{Page: page, Slug: "not-acknowledged", Title: "Not stored", Status: http.StatusServiceUnavailable}
	notConfirmed        = problem.Type{Page: page, Slug: "not-confirmed", Title: "Subscription not confirmed", Status: http.StatusServiceUnavailable}
)

// refusal is an answer that asks the sender to do something about it.
type refusal struct {
	problem.Type
	detail string
	// outcome is the metric label; the type's slug unless something more
	// precise is known. The set is closed.
	outcome string
	// header holds what the status needs besides, as name and value.
	header [][2]string
	// err is the cause where it is ours, for the log.
	err error
}

func refuse(t problem.Type, format string, args ...any) *refusal {
	return &refusal{Type: t, outcome: strings.ReplaceAll(t.Slug, "-", "_"), detail: fmt.Sprintf(format, args...)}
}

func (r *refusal) with(name, value string) *refusal {
	r.header = append(r.header, [2]string{name, value})
	return r
}

func (r *refusal) because(err error) *refusal {
	r.err = err
	return r
}

// closing ends the connection after the answer: what is left of the request on
// it is not worth reading.
func (r *refusal) closing() *refusal { return r.with("Connection", "close") }

// retryAfter is in seconds. Providers add their own, longer backoff.
const retryAfter = "1"

// seconds writes a wait for Retry-After, which has whole seconds.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(1, int64((wait+time.Second-1)/time.Second)), 10)
}

func tooLargeFor(limit int64) *refusal {
	return refuse(tooLarge, "the body is larger than %d bytes", limit).closing()
}

func headerTooLarge() *refusal {
	return refuse(headersTooLarge, "the request's target and headers are larger than %d bytes", MaxHeaderBytes).closing()
}

func unknownEndpoint() *refusal {
	return refuse(notFound, "nothing is configured here; webhooks go to /webhooks/{provider} or /webhooks/{tenant}/{provider}, for a provider with a configured secret")
}

func noMemory() *refusal {
	return refuse(overloaded, "the requests in flight leave no memory for this one; send it again later").with("Retry-After", retryAfter).closing()
}
