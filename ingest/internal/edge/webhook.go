// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/provider"
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

// found is what was made of one webhook of a request.
type found struct {
	webhook *record.Webhook
	// malformed says why the body cannot be decoded, or is nil. It quotes
	// nothing of the body.
	malformed error
	// odd is set where a time or sequence was found that is none.
	odd bool
}

// identify makes the record of one verified webhook. It never fails: what cannot
// be decoded or identified is stored with its defect, because the provider may
// not send it again (docs/adr/0004).
func (c *compiled) identify(req *request.Request, correlationID string) found {
	f := found{malformed: req.Malformed()}
	id, err := c.def.Identity.Identify(req.Lookup)
	f.odd = err != nil // which quotes the value, so it stays out of logs
	w := &record.Webhook{
		Provider:       c.def.Provider,
		Tenant:         id.Tenant,
		EventID:        correlationID,
		IdentitySource: identity.None,
		EventType:      unknownType,
		// A time that is not one leaves OccurredAt zero, and receipt orders,
		// as for a provider that sends no time: the event is whole otherwise.
		OccurredAt:    boundTime(id.OccurredAt),
		Sequence:      id.Sequence,
		CorrelationID: correlationID,
		Body:          req.Body,
	}
	if printable(id.EventType, maxID) {
		w.EventType = id.EventType
	}
	if printable(id.EventID, maxID) {
		w.EventID, w.IdentitySource = id.EventID, id.Source
	}
	w.BusinessKey = w.EventID
	hasKey := printable(id.BusinessKey, maxID)
	if hasKey {
		w.BusinessKey = id.BusinessKey
	}
	switch {
	case f.malformed != nil:
		w.Defect = reason.MalformedBody
	case w.IdentitySource == identity.None:
		w.Defect = reason.MissingIdentity
	case !hasKey:
		w.Defect = reason.MissingKey
	}
	f.webhook = w
	return f
}

// settleTenant puts the webhook under the path's tenant, or under the one that its
// signed content names where the path names none.
func (x *exchange) settleTenant(w *record.Webhook) {
	named := w.Tenant
	w.Tenant = x.tenant
	switch {
	case named == "" || x.PathValue("tenant") != "":
	case provider.ValidName(named):
		w.Tenant = named
	case w.Defect == "":
		w.Defect = reason.InvalidTenant
	}
}

// kept are the request headers to put on the record. Those that could break a
// record or its readers are left out rather than cut: half a signature is worse
// than none.
func (c *compiled) kept(req *request.Request) map[string]string {
	var out map[string]string
	total := 0
	for i := range c.keep {
		h := &c.keep[i]
		v := h.value(req)
		if !printable(v, maxRequestHeader) || total+len(v) > maxRequestHeaders {
			continue
		}
		if out == nil {
			out = make(map[string]string, len(c.keep))
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

// remote is the IP address in an http.Request's RemoteAddr, or "" where there
// is none, as on a Unix socket.
func remote(addr string) string {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().WithZone("").String()
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
