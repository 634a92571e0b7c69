// SPDX-License-Identifier: Apache-2.0

// Package problem writes error answers as problem details (RFC 9457).
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// ContentType is the media type of problem details in JSON (RFC 9457, section 3).
const ContentType = "application/problem+json"

// Type is a kind of problem. Its status and title never vary.
type Type struct {
	// Page explains the types of one API, with a heading for each.
	Page string
	// Slug names it: the heading that explains it and the fragment of its URI.
	Slug   string
	Title  string
	Status int
}

// URI identifies the type and leads to its explanation.
func (t Type) URI() string { return t.Page + "#" + t.Slug }

// Problem is one occurrence.
type Problem struct {
	Type
	// Detail says what is wrong with this request and what to do.
	Detail string
	// Instance is the path of the request.
	Instance string
	// CorrelationID, TraceID, EventID and Tenant may be empty. The last two are
	// for whoever proved that the event is theirs.
	CorrelationID string
	TraceID       string
	EventID       string
	Tenant        string
}

// document is the JSON form, with the ids as extension members (RFC 9457,
// section 3.2).
type document struct {
	Type          string `json:"type"`
	Title         string `json:"title"`
	Status        int    `json:"status"`
	Detail        string `json:"detail"`
	Instance      string `json:"instance"`
	CorrelationID string `json:"correlationId,omitempty"`
	TraceID       string `json:"traceId,omitempty"`
	EventID       string `json:"eventId,omitempty"`
	Tenant        string `json:"tenant,omitempty"`
}

// Write sends p as the answer.
func (p Problem) Write(w http.ResponseWriter) error {
	data, err := json.Marshal(document{
		Type: p.URI(), Title: p.Title, Status: p.Status, Detail: p.Detail,
		Instance: p.Instance, CorrelationID: p.CorrelationID, TraceID: p.TraceID,
		EventID: p.EventID, Tenant: p.Tenant,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(p.Status)
	_, err = w.Write(data)
	return err
}
