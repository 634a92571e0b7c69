// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// By says what an ID is.
type By string

// What an ID can be.
const (
	ByAny         By = "any"
	ByEvent       By = "event"
	ByKey         By = "key"
	ByCorrelation By = "correlation"
	ByTrace       By = "trace"
)

// Query is what is looked for.
type Query struct {
	// ID is the provider's event id, a fingerprint, a business key, a
	// correlation id, a trace id, the position of a record (topic/partition/
	// offset) or the ID of a dead letter.
	ID string
	By By
	// Tenant and Provider narrow it down; empty is any.
	Tenant, Provider string
	// Since and Until bound the time of receipt.
	Since, Until time.Time
	// Limit is the most events to follow.
	Limit int
}

// tracePattern is also that of a fingerprint: 32 hexadecimal digits.
var tracePattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// matcher decides whether a record is about what is looked for.
type matcher struct {
	Query
	hex bool
	// at is set where the ID is a position or a dead letter's ID.
	at *record.Position
}

func newMatcher(q Query) *matcher {
	m := &matcher{Query: q, hex: tracePattern.MatchString(q.ID)}
	if q.By != ByAny {
		return m
	}
	place := q.ID
	for _, stage := range []record.Stage{record.StageTransform, record.StageSink} {
		place = strings.TrimPrefix(place, string(stage)+":")
	}
	m.at = parsePosition(place)
	return m
}

// parsePosition reads topic/partition/offset, or gives nil.
func parsePosition(text string) *record.Position {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" {
		return nil
	}
	partition, err := strconv.ParseInt(parts[1], 10, 32)
	offset, errOffset := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || errOffset != nil || partition < 0 || offset < 0 {
		return nil
	}
	return &record.Position{Topic: parts[0], Partition: int32(partition), Offset: offset}
}

// wants reports whether By is one of these or any.
func (m *matcher) wants(by By) bool { return m.By == ByAny || m.By == by }

// match reports whether r is looked for, and whether it is so by its event's
// identity: every other record of the event then matches too.
func (m *matcher) match(r *kgo.Record) (matches, byIdentity bool) {
	if m.at != nil && m.isAt(r) {
		return true, false
	}
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case header.ID:
			byIdentity = byIdentity || m.wants(ByEvent) && string(h.Value) == m.ID
		case header.PartitionKey:
			matches = matches || m.wants(ByKey) && string(h.Value) == m.ID
		case header.CorrelationID:
			matches = matches || m.wants(ByCorrelation) && string(h.Value) == m.ID
		case header.TraceParent:
			matches = matches || m.hex && m.wants(ByTrace) && bytes.Contains(h.Value, []byte(m.ID))
		}
	}
	if m.wants(ByKey) && !matches {
		matches = keyIs(r.Key, m.ID)
	}
	if m.hex && m.wants(ByEvent) && !byIdentity {
		byIdentity = eventOf(r).fingerprint().String() == m.ID
	}
	return m.narrow(r, matches || byIdentity), byIdentity
}

// narrow holds a match to the tenant and the provider.
func (m *matcher) narrow(r *kgo.Record, matches bool) bool {
	if !matches || m.Tenant == "" && m.Provider == "" {
		return matches
	}
	of := eventOf(r)
	return (m.Tenant == "" || of.tenant == m.Tenant) && (m.Provider == "" || of.provider == m.Provider)
}

func (m *matcher) isAt(r *kgo.Record) bool {
	if record.PositionOf(r) == *m.at {
		return true
	}
	d, err := record.ParseDeadLetter(r)
	return err == nil && d.Failed == *m.at
}

// keyIs reports whether a record's key is the id, with or without the tenant
// and the provider before it.
func keyIs(key []byte, id string) bool {
	if string(key) == id {
		return true
	}
	n := len(key) - len(id)
	return n > 1 && key[n-1] == '/' && string(key[n:]) == id && bytes.Count(key[:n], []byte{'/'}) == 2
}

// eventKey is an event's identity.
type eventKey struct{ tenant, provider, id string }

func eventOf(r *kgo.Record) eventKey {
	h := header.List(r.Headers)
	tenant, _ := h.Get(header.Tenant)
	provider, _ := h.Get(header.Provider)
	id, _ := h.Get(header.ID)
	return eventKey{tenant, provider, id}
}

func (k eventKey) fingerprint() identity.Fingerprint { return identity.Of(k.tenant, k.provider, k.id) }
