// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/topic"
)

// Webhook is one verified request as ingest stored it.
type Webhook struct {
	Tenant   string
	Provider string

	EventID        string
	IdentitySource identity.Source
	EventType      string
	// BusinessKey orders: webhooks of one key lie in one partition.
	BusinessKey string
	// OccurredAt is the event's own time, the same in every delivery; zero
	// where the provider gives none.
	OccurredAt time.Time
	// Defect is set where the webhook was verified but cannot be processed:
	// its identity or key is missing, or its body is malformed. EventID,
	// EventType and BusinessKey then hold what was found or a placeholder.
	Defect reason.Code
	// Sequence orders instead of OccurredAt where the provider counts.
	Sequence *int64

	ReceivedAt    time.Time
	CorrelationID string
	ContentType   string
	// Verification says how the request was verified; zero in records of older
	// versions.
	Verification Verification
	// Remote is the sender's IP address; empty in records of older versions.
	Remote string
	// Method and URL are the request's, where the signature covers them.
	Method, URL string
	// Batch is set where the request held several webhooks; Body is then the
	// request's, cut down to this one.
	Batch *Batch
	// Request holds the preserved request headers by lower-case name.
	Request map[string]string
	// Body is the request body, byte for byte, unless Batch is set.
	Body []byte

	// Position is where the webhook was first written to Kafka; a replay
	// keeps it. It is set by ParseWebhook only.
	Position    Position
	ReplayCount int
}

// Verification is what a request was verified with.
type Verification struct {
	// Scheme is the name of the alternative in the definition, or its scheme
	// where it has no name.
	Scheme string
	// KeyID tells the keys of a pair apart without revealing them. It is empty
	// for schemes whose key is not a secret of ours.
	KeyID string
}

// Record is the Kafka record of w for the given topic. Trace context is the
// producing client's to add.
func (w *Webhook) Record(rawTopic string) *kgo.Record {
	h := headers{list: make(header.List, 0, 21+len(w.Request)), values: make([]byte, 0, 512)}
	h.add(header.SpecVersion, "1.0")
	h.add(header.ID, w.EventID)
	h.add(header.Source, source(w.Tenant, w.Provider))
	h.add(header.Type, w.EventType)
	h.addSet(header.Time, header.FormatTime(w.OccurredAt))
	h.add(header.PartitionKey, w.BusinessKey)
	h.add(header.CorrelationID, w.CorrelationID)
	h.addSet(header.ContentType, w.ContentType)
	h.add(header.RecordVersion, Version)
	h.add(header.Tenant, w.Tenant)
	h.add(header.Provider, w.Provider)
	h.add(header.ReceivedAt, header.FormatTime(w.ReceivedAt))
	h.add(header.IdentitySource, string(w.IdentitySource))
	h.addSet(header.Defect, string(w.Defect))
	if w.Sequence != nil {
		h.add(header.Sequence, header.FormatInt(*w.Sequence))
	}
	h.addSet(header.Verification, w.Verification.Scheme)
	h.addSet(header.VerificationKey, w.Verification.KeyID)
	h.addSet(header.Remote, w.Remote)
	h.addSet(header.HTTPMethod, w.Method)
	h.addSet(header.HTTPURL, w.URL)
	if w.Batch != nil {
		w.Batch.add(&h.list)
	}
	var few [8]string
	for _, name := range sortedNames(few[:0], w.Request) {
		h.add(header.RequestPrefix+name, w.Request[name])
	}
	return &kgo.Record{
		Topic:     rawTopic,
		Key:       topic.Key(w.Tenant, w.Provider, w.BusinessKey),
		Value:     w.Body,
		Headers:   h.list,
		Timestamp: w.ReceivedAt,
	}
}

// sortedNames appends the names of m to an empty slice.
func sortedNames(names []string, m map[string]string) []string {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// source is the CloudEvents source of a webhook: the path it was posted to.
func source(tenant, provider string) string { return "/webhooks/" + tenant + "/" + provider }

// ParseWebhook reads a raw record. It fails on records that ingest did not
// write; the error names the header.
func ParseWebhook(r *kgo.Record) (*Webhook, error) {
	f := fields{headers: r.Headers}
	if v := f.optional(header.RecordVersion); v != Version {
		return nil, fmt.Errorf("header %s is %.20q, want %q", header.RecordVersion, v, Version)
	}
	w := &Webhook{
		Tenant:         f.required(header.Tenant),
		Provider:       f.required(header.Provider),
		EventID:        f.required(header.ID),
		IdentitySource: identity.Source(f.required(header.IdentitySource)),
		EventType:      f.required(header.Type),
		BusinessKey:    f.required(header.PartitionKey),
		OccurredAt:     f.time(header.Time, false),
		ReceivedAt:     f.time(header.ReceivedAt, true),
		CorrelationID:  f.required(header.CorrelationID),
		ContentType:    f.optional(header.ContentType),
		Body:           r.Value,
		Defect:         reason.Code(f.optional(header.Defect)),
		Verification:   Verification{Scheme: f.optional(header.Verification), KeyID: f.optional(header.VerificationKey)},
		Remote:         f.optional(header.Remote),
		Method:         f.optional(header.HTTPMethod),
		URL:            f.optional(header.HTTPURL),
		Batch:          f.batch(),
		ReplayCount:    int(f.int(header.ReplayCount, 32)),
	}
	if _, ok := f.headers.Get(header.Sequence); ok {
		n := f.int(header.Sequence, 64)
		w.Sequence = &n
	}
	w.Request = requestHeaders(f.headers)
	if f.err != nil {
		return nil, f.err
	}
	id, err := keyOf(r, w.Tenant, w.Provider)
	if err != nil {
		return nil, err
	}
	if id != w.BusinessKey {
		return nil, fmt.Errorf("record key %.100q does not match header %s, which is %.100q", r.Key, header.PartitionKey, w.BusinessKey)
	}
	w.Position, err = originOf(r)
	return w, err
}

func requestHeaders(h header.List) map[string]string {
	m := map[string]string{}
	for _, kv := range h {
		if name, ok := strings.CutPrefix(kv.Key, header.RequestPrefix); ok {
			m[name] = string(kv.Value)
		}
	}
	return m
}
