// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Bounds, in bytes, of what a request puts into a record's key and headers, so
// that with them any allowed body fits into a record batch, and a dead letter
// of it too.
const (
	maxID            = 512
	maxContentType   = 256
	maxRequestHeader = 2048
	// maxRequestHeaders is the total of all preserved headers.
	maxRequestHeaders = 12 << 10
)

// unknownType stands for an event type that was not found. It is not a defect:
// the definition says what becomes of types that it does not map.
const unknownType = "unknown"

// webhook makes the record of a verified request. It never fails: what cannot be
// decoded or identified is stored with its defect, because the provider may not
// send it again (docs/adr/0004). The error says what was odd about the request,
// for the log.
func (c *compiled) webhook(req *request.Request, correlationID string) (*record.Webhook, error) {
	malformed := req.Malformed()
	found, odd := c.def.Identity.Identify(req.Lookup)
	w := &record.Webhook{
		Provider:       c.def.Provider,
		EventID:        correlationID,
		IdentitySource: identity.None,
		EventType:      unknownType,
		// A time that is not one leaves OccurredAt zero, and receipt orders,
		// as for a provider that sends no time: the event is whole otherwise.
		OccurredAt:    boundTime(found.OccurredAt),
		Sequence:      found.Sequence,
		CorrelationID: correlationID,
		Body:          req.Body,
		Request:       c.kept(req),
	}
	if ct := req.Header("Content-Type"); printable(ct, maxContentType) {
		w.ContentType = ct
	}
	if printable(found.EventType, maxID) {
		w.EventType = found.EventType
	}
	if printable(found.EventID, maxID) {
		w.EventID, w.IdentitySource = found.EventID, found.Source
	}
	w.BusinessKey = w.EventID
	hasKey := printable(found.BusinessKey, maxID)
	if hasKey {
		w.BusinessKey = found.BusinessKey
	}
	switch {
	case malformed != nil:
		w.Defect = reason.MalformedBody
		odd = malformed
	case w.IdentitySource == identity.None:
		w.Defect = reason.MissingIdentity
	case !hasKey:
		w.Defect = reason.MissingKey
	}
	return w, odd
}

// kept are the request headers to put on the record. Those that could break a
// record or its readers are left out rather than cut: half a signature is worse
// than none.
func (c *compiled) kept(req *request.Request) map[string]string {
	out := make(map[string]string, len(c.keep))
	total := 0
	for _, h := range c.keep {
		v := req.Header(h.name)
		if !printable(v, maxRequestHeader) || total+len(v) > maxRequestHeaders {
			continue
		}
		total += len(v)
		out[h.lower] = v
	}
	return out
}

// printable reports whether s is text that can go into keys, headers, columns
// and logs as it is: not empty, at most limit bytes of UTF-8, no control
// characters (Postgres cannot store NUL).
func printable(s string, limit int) bool {
	if s == "" || len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// Headers carry times as RFC 3339, which has four digits for the year.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// boundTime keeps a time writable. One that is absurd stays absurd, so that
// transform dead-letters it.
func boundTime(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return t
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t
}
