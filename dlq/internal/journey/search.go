// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Decoder reads the values of events.
type Decoder interface {
	Decode(ctx context.Context, entity string, value []byte) (*event.Event, error)
}

// Search is where to look. Ledger and Decoder may be nil: what they would tell
// is then unknown.
type Search struct {
	Kafka  *kafka.Config
	Client *kgo.Client
	// Topics that there are.
	Topics  kadm.TopicDetails
	Log     *slog.Logger
	Ledger  *Ledger
	Decoder Decoder
	// Unread is why the ledger, which is configured, could not be asked. It is
	// there instead of Ledger, and set when the ledger fails on the way.
	Unread error
	// TransformGroup and SinkGroup are the consumer groups of the stages.
	TransformGroup, SinkGroup string
	// Progress is told how many records were read; it may be nil.
	Progress func(records int64)

	admin  *kadm.Client
	looked looked
	// undecoded is why an event's value could not be read, and unanswered says
	// that it is because the registry could not be asked.
	undecoded  error
	unanswered bool
}

// Find follows the events that q asks for. A report without events says how far
// was looked.
func (s *Search) Find(ctx context.Context, q Query) (*Report, error) {
	s.admin = kadm.NewClient(s.Client)
	s.looked = looked{topics: map[string]*Looked{}, parts: map[string]map[int32]bool{}}
	at, err := s.stages(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, newMatcher(q))
	if err != nil {
		return nil, err
	}
	report := &Report{ID: q.ID, Events: []*Journey{}, More: found.more(), Similar: []string{}}
	if len(found.events) == 0 {
		report.Similar = found.similar.list()
	} else if err = s.gather(ctx, found, q); err != nil {
		return nil, err
	}
	at.database, at.unread = s.Ledger != nil, s.Unread != nil
	for _, e := range found.newestFirst() {
		report.Events = append(report.Events, build(e, at))
	}
	s.transactionalIDs(ctx, report)
	report.Unknown = s.unknown(report, found)
	report.Incomplete = s.incomplete()
	report.Searched = s.searched(q)
	return report, nil
}

func (s *Search) incomplete() bool { return s.Unread != nil || s.unanswered }

func (s *Search) searched(q Query) Searched {
	out := Searched{Topics: s.looked.list(), Records: s.looked.records, Ledger: s.Ledger != nil}
	if s.Unread != nil {
		out.LedgerError = s.Unread.Error()
	}
	if !q.Since.IsZero() {
		out.Since = &q.Since
	}
	if !q.Until.IsZero() {
		out.Until = &q.Until
	}
	return out
}

// unknown says what of the report could have been told, and what it takes.
func (s *Search) unknown(report *Report, f *finds) []string {
	outcome, revision := false, false
	report.eachHop(func(h *Hop) {
		outcome = outcome || h.Kind == Unclear && h.Stage == record.StageSink
		revision = revision || h.Kind == Event && (h.EventDetails == nil || h.Version == nil)
	})
	out := []string{}
	switch {
	case s.Unread != nil:
		out = append(out, "what the sink did: the ledger could not be asked: "+s.Unread.Error())
	case outcome && s.Ledger == nil:
		out = append(out, "what the sink did: set HOOKSTREAM_DATABASE_URL")
	}
	for _, e := range f.events {
		if e.skipped > 0 {
			out = append(out, fmt.Sprintf("%d more deliveries of %s: a journey has %d at most", e.skipped, e.id, maxDeliveries))
		}
	}
	switch {
	case s.undecoded != nil:
		out = append(out, "which revision of the definition made an event: "+s.undecoded.Error())
	case revision && s.Decoder == nil:
		out = append(out, "which revision of the definition made an event: set HOOKSTREAM_REGISTRY_URL")
	}
	return out
}

// finds are the events that were found, and the evidence so far.
type finds struct {
	limit  int
	events map[eventKey]*evidence
	// seen are all that were found, those beyond the limit too.
	seen map[identity.Fingerprint]struct{}
	// whole says that every record of the events in what was read so far is
	// among the evidence, because they were found by their identity.
	whole bool
	// similar are ids of events that were not asked for, but nearly.
	similar similar
}

func (f *finds) more() int { return len(f.seen) - len(f.events) }

// of is the evidence about an event; the oldest are forgotten beyond the limit.
func (f *finds) of(k eventKey) *evidence {
	e := f.events[k]
	if e == nil {
		e = newEvidence(k)
		f.events[k] = e
		f.seen[k.fingerprint()] = struct{}{}
		if len(f.events) > 2*f.limit {
			f.forget()
		}
	}
	return e
}

func (f *finds) forget() {
	all := f.newestFirst()
	if len(all) <= f.limit {
		return
	}
	f.whole = false
	for _, e := range all[f.limit:] {
		delete(f.events, e.eventKey)
	}
}

func (f *finds) newestFirst() []*evidence {
	all := make([]*evidence, 0, len(f.events))
	for _, e := range f.events {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *evidence) int {
		return cmp.Or(b.newest.Compare(a.newest), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.provider, b.provider), cmp.Compare(a.id, b.id))
	})
	return all
}

// find looks for the events where it is likely to find them first: the raw
// records and the dead letters, then what came of raw records that are no
// longer kept, then the ledger.
func (s *Search) find(ctx context.Context, m *matcher) (*finds, error) {
	f := &finds{limit: m.Limit, events: map[eventKey]*evidence{}, seen: map[identity.Fingerprint]struct{}{}, whole: true}
	names := s.Kafka.Topics
	raw := scope{topic: names.Raw, partitions: s.partitionOf(m)}
	for _, scopes := range [][]scope{s.exactly(m.at), {raw, {topic: names.DeadLetters}}, s.derived(time.Time{})} {
		for i := range scopes {
			scopes[i].since, scopes[i].until = widened(m.Since, -slack), time.Time{}
			if scopes[i].topic == names.Raw {
				scopes[i].until = widened(m.Until, slack)
			}
		}
		if err := s.look(ctx, scopes, m, f); err != nil {
			return nil, err
		}
		if len(f.events) > 0 {
			f.forget()
			return f, nil
		}
	}
	return f, s.askLedger(ctx, m, f)
}

// exactly is the place of one record, if that is what is asked for.
func (s *Search) exactly(at *record.Position) []scope {
	if at == nil || !s.Topics.Has(at.Topic) {
		return nil
	}
	return []scope{{topic: at.Topic, partitions: []int32{at.Partition}, at: at}}
}

func widened(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}

// partitionOf is where a business key of a known provider lies.
func (s *Search) partitionOf(m *matcher) []int32 {
	if m.By != ByKey || m.Tenant == "" || m.Provider == "" {
		return nil
	}
	raw := s.Kafka.Topics.Raw
	return []int32{s.Kafka.PartitionOf(raw, topic.Key(m.Tenant, m.Provider, m.ID), int32(len(s.Topics[raw].Partitions)))} //nolint:gosec // a topic's partitions
}

// look adds what matches to the finds.
func (s *Search) look(ctx context.Context, scopes []scope, m *matcher, f *finds) error {
	return s.scan(ctx, scopes, func(r *kgo.Record) error {
		matches, byIdentity := m.match(r)
		if !matches {
			f.similar.add(m, r)
			return nil
		}
		f.whole = f.whole && byIdentity
		return s.add(ctx, f.of(eventOf(r)), r)
	})
}

func (s *Search) askLedger(ctx context.Context, m *matcher, f *finds) error {
	if s.Ledger == nil {
		return nil
	}
	rows, err := s.Ledger.find(ctx, m)
	if err != nil {
		return s.withoutLedger(ctx, err)
	}
	for _, r := range rows {
		e := f.of(r.eventKey)
		e.newest = r.receivedAt
		e.times = append(e.times, r.occurred())
	}
	f.whole = false
	return nil
}

// derived are the topics of what comes of raw records.
func (s *Search) derived(since time.Time) []scope {
	var scopes []scope
	for _, name := range s.Topics.Names() {
		if _, ok := s.Kafka.Topics.Entity(name); ok || name == s.Kafka.Topics.SinkReplay {
			scopes = append(scopes, scope{topic: name, since: since})
		}
	}
	return scopes
}

// add keeps what a record says about its event.
func (s *Search) add(ctx context.Context, e *evidence, r *kgo.Record) error {
	at := record.PositionOf(r)
	if e.seen[at] {
		return nil
	}
	e.seen[at] = true
	if r.Timestamp.After(e.newest) {
		e.newest = r.Timestamp
	}
	if r.Topic == s.Kafka.Topics.DeadLetters {
		return s.addLetter(ctx, e, r)
	}
	if r.Topic == s.Kafka.Topics.Raw {
		if raw, err := newStored(r); err == nil { // else its dead letter says why
			e.store(raw)
		}
		return nil
	}
	return s.addPublished(ctx, e, r)
}

func (s *Search) addPublished(ctx context.Context, e *evidence, r *kgo.Record) error {
	p, err := newPublished(r)
	if err != nil {
		return nil //nolint:nilerr // not ours; the sink's dead letter says why
	}
	e.events = append(e.events, p)
	if s.Decoder == nil {
		return nil
	}
	ev, err := s.Decoder.Decode(ctx, p.Entity, r.Value)
	var unknown *registry.Unknown
	switch {
	case err == nil:
		p.meta = &ev.Meta
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &unknown), errors.Is(err, registry.ErrLost):
		s.undecoded = err
	default:
		s.Decoder, s.undecoded, s.unanswered = nil, err, true // it is away: ask no more
	}
	return nil
}

// addLetter keeps a dead letter, and what it says about the record that failed,
// which may be gone. Copies of one failure are one.
func (s *Search) addLetter(ctx context.Context, e *evidence, r *kgo.Record) error {
	l, err := letters.Parse(r)
	if err != nil || slices.ContainsFunc(e.letters, func(o *letters.Letter) bool { return o.ID == l.ID }) {
		return nil //nolint:nilerr // another program's
	}
	failed := failedRecord(l)
	l.Raw, l.Value = nil, nil
	e.letters = append(e.letters, l)
	if l.Stage == record.StageSink {
		return s.addPublished(ctx, e, failed)
	}
	if raw, err := newStored(failed); err == nil {
		e.store(raw)
	}
	return nil
}

// gather completes the evidence about the events that were found.
func (s *Search) gather(ctx context.Context, f *finds, q Query) error {
	since := f.since()
	scopes := s.derived(since)
	if !f.whole {
		names := s.Kafka.Topics
		scopes = append(scopes, scope{topic: names.DeadLetters, since: since}, scope{topic: names.Raw, partitions: f.partitions(), since: widened(q.Since, -slack)})
	}
	err := s.scan(ctx, scopes, func(r *kgo.Record) error {
		if e := f.events[eventOf(r)]; e != nil {
			return s.add(ctx, e, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(s.accepted(ctx, f), s.held(ctx, f), s.resolved(ctx, f), s.applied(ctx, f))
}

// since is a time before which nothing came of the events.
func (f *finds) since() time.Time {
	var first time.Time
	before := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, e := range f.events {
		if len(e.raws) == 0 {
			return time.Time{} // found by what came of it: read it all
		}
		for _, r := range e.raws {
			before(r.ReceivedAt)
		}
	}
	return widened(first, -slack)
}

// partitions are where the deliveries of the events lie, or all.
func (f *finds) partitions() []int32 {
	var out []int32
	for _, e := range f.events {
		if len(e.raws) == 0 {
			return nil
		}
		for _, r := range e.raws {
			if !slices.Contains(out, r.at.Partition) {
				out = append(out, r.at.Partition)
			}
		}
	}
	return out
}

// accepted asks the deduplication changelog which events transform accepted.
func (s *Search) accepted(ctx context.Context, f *finds) error {
	dedup := s.Kafka.Topics.Dedup
	if !s.Topics.Has(dedup) {
		return nil
	}
	byFingerprint := map[identity.Fingerprint]*evidence{}
	for _, e := range f.events {
		byFingerprint[e.fingerprint()] = e
	}
	scopes := []scope{{topic: dedup, partitions: f.partitions()}}
	return s.scan(ctx, scopes, func(r *kgo.Record) error {
		entries, err := record.ParseDedup(r)
		if err != nil {
			return nil //nolint:nilerr // transform refuses to start on it, which is louder
		}
		for i := range entries {
			e := byFingerprint[entries[i].Fingerprint]
			if e != nil && (e.acceptedAt.IsZero() || r.Timestamp.Before(e.acceptedAt)) {
				e.acceptedAt = r.Timestamp
			}
		}
		return nil
	})
}

// held asks the topic of held records which of the raw records are there.
func (s *Search) held(ctx context.Context, f *finds) error {
	topic := s.Kafka.Topics.Held
	if !s.Topics.Has(topic) {
		return nil // no transform that holds was ever there
	}
	byKey := map[string]*evidence{}
	return s.scan(ctx, []scope{{topic: topic, partitions: f.partitions()}}, func(r *kgo.Record) error {
		h, err := record.ParseHeld(r)
		if err != nil {
			return nil //nolint:nilerr // transform refuses to start on it, which is louder
		}
		if h == nil {
			if e := byKey[string(r.Key)]; e != nil {
				e.released(string(r.Key))
			}
			return nil
		}
		if e := f.events[eventOf(h.Raw)]; e != nil {
			byKey[string(r.Key)] = e
			h.Raw.Value = nil
			e.held[record.PositionOf(h.Raw)] = &hold{h, record.PositionOf(r), string(r.Key)}
		}
		return nil
	})
}

// resolved adds what operators did with the dead letters.
func (s *Search) resolved(ctx context.Context, f *finds) error {
	byLetter := map[string]*evidence{}
	for _, e := range f.events {
		for _, l := range e.letters {
			byLetter[l.ID] = e
		}
	}
	if len(byLetter) == 0 {
		return nil
	}
	return resolutions.Each(ctx, s.Kafka, s.Log, func(id string, r *record.Resolution) error {
		if e := byLetter[id]; e != nil {
			e.resolve(id, r)
		}
		return nil
	})
}

// resolve adds a resolution and what it took the place of, each once: until the
// topic is compacted, it has both.
func (e *evidence) resolve(id string, r *record.Resolution) {
	for ; r != nil; r = r.Previous {
		same := func(o *record.Resolution) bool { return o.Action == r.Action && o.At.Equal(r.At) }
		if !slices.ContainsFunc(e.resolutions[id], same) {
			e.resolutions[id] = append(e.resolutions[id], r)
		}
	}
	slices.SortFunc(e.resolutions[id], func(a, b *record.Resolution) int { return a.At.Compare(b.At) })
}

// applied adds what the ledger has.
func (s *Search) applied(ctx context.Context, f *finds) error {
	if s.Ledger == nil {
		return nil
	}
	for _, e := range f.events {
		if err := s.ledgerOf(ctx, e); err != nil {
			return s.withoutLedger(ctx, err)
		}
	}
	return nil
}

// withoutLedger goes on without a ledger that failed: the topics still tell most.
func (s *Search) withoutLedger(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.Ledger, s.Unread = nil, err
	return nil
}

func (s *Search) ledgerOf(ctx context.Context, e *evidence) error {
	fingerprint := e.fingerprint()
	for _, at := range e.occurred() {
		rows, err := s.Ledger.event(ctx, fingerprint, at)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.outcome != Applied {
				if r.newest, err = s.Ledger.newest(ctx, r); err != nil {
					return err
				}
			}
			e.rows = append(e.rows, r)
		}
	}
	var err error
	e.repeats, err = s.Ledger.repeats(ctx, fingerprint)
	return err
}

// Body is the body of a delivery as it was sent; of a request that held several
// webhooks, the part with this one.
func (s *Search) Body(ctx context.Context, d *Delivery) ([]byte, error) {
	if d.Raw == nil {
		return nil, errors.New("where the delivery was stored is unknown")
	}
	at := record.Position(*d.Raw)
	var body []byte
	found := false
	err := s.scan(ctx, s.exactly(&at), func(r *kgo.Record) error {
		body, found = r.Value, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%s no longer keeps the body of %s; a dead letter of it would have it (dlq show)", at.Topic, at)
	}
	return body, err
}

// eachHop visits the hops of all deliveries.
func (r *Report) eachHop(visit func(*Hop)) {
	for _, j := range r.Events {
		for _, d := range j.Deliveries {
			for _, h := range d.Hops {
				visit(h)
			}
		}
	}
}

// Link adds to every trace where it can be looked at.
func (r *Report) Link(to func(traceID string) string) {
	for _, j := range r.Events {
		for _, d := range j.Deliveries {
			if d.TraceID != "" {
				d.TraceURL = to(d.TraceID)
			}
			for _, h := range d.Hops {
				if h.TraceID != "" {
					h.TraceURL = to(h.TraceID)
				}
			}
		}
	}
}

// Links are those of all traces, each once, in the order of the hops.
func (r *Report) Links() []string {
	var links []string
	add := func(link string) {
		if link != "" && !slices.Contains(links, link) {
			links = append(links, link)
		}
	}
	for _, j := range r.Events {
		for _, d := range j.Deliveries {
			add(d.TraceURL)
			for _, h := range d.Hops {
				add(h.TraceURL)
			}
		}
	}
	return links
}
