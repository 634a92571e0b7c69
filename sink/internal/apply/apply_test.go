// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

func wantOutcomes(t *testing.T, w *world, want map[string]string) {
	t.Helper()
	if got := w.outcomes(t); !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

func TestEveryKindOfFieldIsStored(t *testing.T) {
	w := newWorld(t)
	for _, e := range event.Entities() {
		fields := map[string]any{}
		for _, f := range e.Fields {
			fields[f.Name] = sample(f.Kind)
		}
		ev := newEvent(e.Name, e.Name+"/1", "evt-"+e.Name, 1, fields)
		w.applyEvents(t, ev)
		row := one[map[string]any](t, w, fmt.Sprintf(`select to_jsonb(t) from webhooks.%q t where id = $1`, e.Name), ev.ID)
		for _, f := range e.Fields {
			if got, want := row[f.Name], stored(f.Kind); !reflect.DeepEqual(got, want) {
				t.Errorf("%s.%s is %#v, want %#v", e.Name, f.Name, got, want)
			}
		}
		for name, want := range map[string]any{
			"tenant": "default", "provider": "acme", "business_key": ev.ID, "deleted": false, "event_id": ev.Meta.EventID,
			"event_type": "thing.happened", "occurred_at": "2026-03-01T12:00:01+00:00", "received_at": "2026-03-01T12:00:02+00:00",
			"version_order": float64(ev.Meta.Version.Order), "version_generation": 1., "version_offset": 1., "version_revision": 1.,
		} {
			if got := row[name]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s.%s is %#v, want %#v", e.Name, name, got, want)
			}
		}
	}
}

const awkward = "a\"b\\c{},'$1 \n é😀 NULL"

func sample(k event.Kind) any {
	switch k {
	case event.Long:
		return int64(1234567890123)
	case event.Boolean:
		return true
	case event.Double:
		return 1.5
	case event.Timestamp:
		return start
	case event.StringArray:
		return []string{"", awkward, "null"}
	case event.StringMap:
		return map[string]string{"k": awkward}
	case event.JSON:
		return `{"n": [1, null]}`
	default:
		return awkward
	}
}

// stored is the sample as Postgres's JSON has it.
func stored(k event.Kind) any {
	switch k {
	case event.Long:
		return 1234567890123.
	case event.Timestamp:
		return "2026-03-01T12:00:00+00:00"
	case event.StringArray:
		return []any{"", awkward, "null"}
	case event.StringMap:
		return map[string]any{"k": awkward}
	case event.JSON:
		return map[string]any{"n": []any{1., nil}}
	default:
		return sample(k)
	}
}

func TestNullsAndTombstones(t *testing.T) {
	w := newWorld(t)
	created := newEvent("customer", "c", "e1", 1, map[string]any{"name": "Ann", "tags": []string{"x"}})
	gone := newEvent("customer", "c", "e2", 2, map[string]any{})
	gone.Meta.Deleted = true
	late := newEvent("customer", "c", "e0", 0, map[string]any{"name": "Late"})
	w.applyEvents(t, created)
	w.applyEvents(t, gone)
	w.applyEvents(t, late)
	if got := one[string](t, w, "select deleted::text || coalesce(name, ' null') || coalesce(tags::text, ' null') from webhooks.customer"); got != "true null null" {
		t.Errorf("row is %q: a late update must not bring a deleted entity back", got)
	}
	wantOutcomes(t, w, map[string]string{"e1": "applied", "e2": "applied", "e0": "stale"})
}

func TestOutcomesOfABatch(t *testing.T) {
	w := newWorld(t)
	w.applyEvents(t, newEvent("issue", "a", "old", 5, nil))
	w.applyEvents(t,
		newEvent("issue", "a", "stale", 3, nil),
		newEvent("issue", "a", "staler", 2, nil),
		newEvent("issue", "b", "superseded", 1, nil),
		newEvent("issue", "b", "applied", 4, nil),
		newEvent("order", "b", "other table", 1, nil),
	)
	wantOutcomes(t, w, map[string]string{
		"old": "applied", "stale": "stale", "staler": "stale", "superseded": "superseded", "applied": "applied", "other table": "applied",
	})
}

// TestStaleEventsTouchNoRow: they lock nothing and leave nothing to vacuum, in a
// batch of few and in one of many.
func TestStaleEventsTouchNoRow(t *testing.T) {
	w := newWorld(t)
	const n = 400
	of := func(version string, order int64) []*event.Event {
		events := customers(n)
		for _, ev := range events {
			ev.Meta.EventID += version
			ev.Meta.Version.Order += order
		}
		return events
	}
	w.applyEvents(t, of("new", 1)...)
	rows := func() string {
		return one[string](t, w, "select string_agg(concat_ws(' ', id, ctid, xmin, xmax), ',' order by id) from webhooks.customer")
	}
	before := rows()
	stale := of("stale", 0)
	w.applyEvents(t, stale[:10]...)
	w.applyEvents(t, stale[10:]...)
	if rows() != before {
		t.Error("stale events wrote or locked rows")
	}
	if got := one[int](t, w, "select count(*) from hookstream.events where outcome = 'stale'"); got != n {
		t.Errorf("%d events are stale, want %d", got, n)
	}
}

// TestRowsAreLockedInTheOrderOfTheirKeys: two sinks that write the same rows must
// not wait for each other.
func TestRowsAreLockedInTheOrderOfTheirKeys(t *testing.T) {
	w := newWorld(t)
	var events []*event.Event
	for i := range 40 {
		for _, entity := range []string{"order", "customer"} {
			id := fmt.Sprintf("%02d", i*17%40)
			events = append(events, newEvent(entity, id, entity+id, int64(i), nil))
		}
	}
	g, err := w.store.gather(t.Context(), w.batches(t, w.records(t, events...)))
	must(t, err)
	for i, r := range g.rows {
		r.exists = i%2 == 0 // some go by an upsert, some by COPY
	}
	var tables []string
	for _, write := range g.newPlan().writes {
		tables = append(tables, write.table.Entity.Name)
		if len(write.items) != 20 || !slices.IsSortedFunc(write.items, func(a, b *item) int { return compareKeys(a.row.key, b.row.key) }) {
			t.Errorf("%d rows of %s are in no order", len(write.items), write.table.Entity.Name)
		}
	}
	if want := []string{"customer", "customer", "order", "order"}; !slices.Equal(tables, want) {
		t.Errorf("tables %v, want %v", tables, want)
	}
}

func TestFieldGroupsHaveVersionsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	intent := func(id string, n int64, amount int64) *event.Event {
		ev := newEvent("payment", "p", id, n, map[string]any{"amount": amount})
		ev.Meta.Groups = []string{"payment"}
		return ev
	}
	charge := func(id string, n int64, refunded int64) *event.Event {
		ev := newEvent("payment", "p", id, n, map[string]any{"amount_refunded": refunded})
		ev.Meta.Groups = []string{"charge"}
		return ev
	}
	row := func() string {
		return one[string](t, w, `select concat_ws(' ', coalesce(amount::text, '-'), coalesce(amount_refunded::text, '-'), coalesce(event_id, '-'), version_offset, charge_version_offset) from webhooks.payment`)
	}
	w.applyEvents(t, charge("c1", 7, 70))
	if got := row(); got != "- 70 - 0 7" {
		t.Errorf("a row that only a charge wrote is %q", got)
	}
	// Newer than nothing, older than the charge: each group goes by its own.
	w.applyEvents(t, intent("i1", 2, 20), charge("c0", 1, 10), intent("i2", 3, 30))
	if got := row(); got != "30 70 i2 3 7" {
		t.Errorf("row is %q", got)
	}
	// Both groups of one row change in one batch, from two events.
	w.applyEvents(t, intent("i3", 9, 90), charge("c2", 8, 80))
	if got := row(); got != "90 80 i3 9 8" {
		t.Errorf("row is %q", got)
	}
	wantOutcomes(t, w, map[string]string{
		"c1": "applied", "i1": "superseded", "c0": "stale", "i2": "applied", "i3": "applied", "c2": "applied",
	})
}

func TestRepeatsBecomeDeliveries(t *testing.T) {
	w := newWorld(t)
	// A repeat has another place in the raw topic, so its version is newer.
	repeat := func(n int64) *event.Event {
		ev := newEvent("customer", "c", "e", 1, map[string]any{"name": fmt.Sprint("delivery ", n)})
		ev.Meta.Version.Offset, ev.Meta.RawOffset = n, n
		return ev
	}
	untimed := func(n int64) *event.Event {
		ev := repeat(n)
		ev.ID, ev.Meta.EventID, ev.Meta.OccurredAt = "u", "u", time.Time{}
		ev.Meta.Version.Order += n
		return ev
	}
	w.applyEvents(t, repeat(1), repeat(2), untimed(1))
	w.applyEvents(t, repeat(3), untimed(2), untimed(3))
	wantOutcomes(t, w, map[string]string{"e": "applied", "u": "applied"})
	if got := one[string](t, w, "select string_agg(name, ',' order by id) from webhooks.customer"); got != "delivery 1,delivery 1" {
		t.Errorf("rows are %q: a repeat was applied", got)
	}
	got := one[string](t, w, `select string_agg(event_id || raw_offset || '@' || event_topic || event_offset, ',' order by event_id, raw_offset) from hookstream.deliveries`)
	if want := strings.ReplaceAll("e2@TOPIC1,e3@TOPIC3,u2@TOPIC4,u3@TOPIC5", "TOPIC", w.kafka.Topics.Events("customer")); got != want {
		t.Errorf("deliveries are %q, want %q", got, want)
	}
}

func TestLedgerExplains(t *testing.T) {
	w := newWorld(t)
	r := w.record(t, newEvent("customer", "c", "e", 1, nil))
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.TraceParent, Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
		kgo.RecordHeader{Key: header.TransactionID, Value: []byte("transform/1-2")})
	w.apply(t, r)
	got := one[map[string]any](t, w, "select to_jsonb(e) - 'applied_at' - 'fingerprint' from hookstream.events e")
	want := map[string]any{}
	must(t, json.Unmarshal(fmt.Appendf(nil, `{
		"tenant": "default", "provider": "acme", "event_id": "e", "event_type": "thing.happened",
		"entity": "customer", "entity_id": "c", "business_key": "c", "outcome": "applied", "deleted": false,
		"occurred_at": "2026-03-01T12:00:01+00:00", "received_at": "2026-03-01T12:00:02+00:00", "published_at": "2026-03-01T12:00:02+00:00",
		"version_order": 1772366401000000, "version_generation": 1, "version_offset": 1, "version_revision": 1,
		"correlation_id": "c-e", "trace_id": "0af7651916cd43dd8448eb211c80319c",
		"raw_topic": "hookstream.raw", "raw_partition": 3, "raw_offset": 1,
		"event_topic": %q, "event_partition": 0, "event_offset": 0, "replay_count": 0,
		"transaction_id": "transform/1-2", "attempt": 1}`, w.kafka.Topics.Events("customer")), &want))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ledger has %v, want %v", got, want)
	}
}

func TestZombieChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.applyEvents(t, newEvent("customer", "c", "e1", 1, map[string]any{"name": "mine"}))
	p := kafka.Partition{Topic: w.kafka.Topics.Events("customer")}
	newer, err := w.store.TakeOver(t.Context(), []kafka.Partition{p})
	must(t, err)
	// The other store still has its older epoch, and a poison record.
	zombie := w.batches(t, append(w.records(t, newEvent("customer", "c", "e2", 2, map[string]any{"name": "zombie"})), &kgo.Record{Topic: p.Topic, Key: []byte("x")}))
	if err := w.store.Apply(t.Context(), zombie, nil); !errors.Is(err, fenced.ErrClaim) {
		t.Fatalf("Apply() = %v, want ErrClaim", err)
	}
	wantOutcomes(t, w, map[string]string{"e1": "applied"})
	if got := one[string](t, w, "select name from webhooks.customer"); got != "mine" {
		t.Errorf("the zombie wrote %q", got)
	}
	claims, err := w.store.Claims(t.Context(), []kafka.Partition{p})
	must(t, err)
	if claims[p] != newer[p] || newer[p] != (fenced.Claim{Epoch: 2, Next: 1}) {
		t.Errorf("claim is %v, the new owner's was %v", claims[p], newer[p])
	}
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("the zombie wrote %d dead letters", n)
	}
}

func TestAnyWrongClaimMovesNothing(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e1", 1, nil), newEvent("issue", "i", "e2", 1, nil)))
	batches[1].Claim.Next = 17
	if err := w.store.Apply(t.Context(), batches, nil); !errors.Is(err, fenced.ErrClaim) {
		t.Fatalf("Apply() = %v, want ErrClaim", err)
	}
	wantOutcomes(t, w, map[string]string{})
	claims, err := w.store.Claims(t.Context(), []kafka.Partition{batches[0].Partition, batches[1].Partition, {Topic: "unknown"}})
	must(t, err)
	want := map[kafka.Partition]fenced.Claim{batches[0].Partition: {Epoch: 1, Next: fenced.NeverRead}, batches[1].Partition: {Epoch: 1, Next: fenced.NeverRead}}
	if !maps.Equal(claims, want) {
		t.Errorf("claims are %v, want %v", claims, want)
	}
}

func TestReplayIsAppliedOnceAndInItsPlace(t *testing.T) {
	w := newWorld(t)
	replay := func(ev *event.Event, offset int64) *kgo.Record {
		failed := w.record(t, ev)
		failed.Offset = offset
		d := record.DeadLetter{Stage: record.StageSink, Failed: record.PositionOf(failed), Key: failed.Key, Value: failed.Value, Headers: failed.Headers}
		r, err := d.Replay(w.kafka.Topics.SinkReplay, "replay-1")
		must(t, err)
		return r
	}
	w.applyEvents(t, newEvent("customer", "c", "newer", 9, map[string]any{"name": "newer"}))
	old := newEvent("customer", "c", "old", 5, map[string]any{"name": "old"})
	other := newEvent("customer", "d", "other", 6, map[string]any{"name": "other"})
	w.apply(t, replay(old, 40), replay(other, 41))
	w.apply(t, replay(other, 41))
	wantOutcomes(t, w, map[string]string{"newer": "applied", "old": "stale", "other": "applied"})
	if got := one[string](t, w, "select string_agg(name, ',' order by id) from webhooks.customer"); got != "newer,other" {
		t.Errorf("rows are %q", got)
	}
	if got := one[string](t, w, "select event_topic || '/' || event_offset || ' ' || replay_count from hookstream.events where event_id = 'other'"); got != w.kafka.Topics.Events("customer")+"/41 1" {
		t.Errorf("the ledger has the replay at %q, want where it was first written", got)
	}
	if got := one[string](t, w, "select event_topic || '/' || event_offset from hookstream.deliveries"); got != w.kafka.Topics.SinkReplay+"/2" {
		t.Errorf("the second replay was seen at %q", got)
	}
}

func TestUndecodableRecordsAreDeadLettered(t *testing.T) {
	w := newWorld(t)
	good := newEvent("customer", "c", "good", 1, nil)
	damage := func(do func(*kgo.Record)) *kgo.Record {
		r := w.record(t, newEvent("customer", "c", "bad", 2, nil))
		do(r)
		return r
	}
	set := func(name, value string) func(*kgo.Record) {
		return func(r *kgo.Record) {
			h := header.List(r.Headers)
			h.Set(name, value)
			r.Headers = h
		}
	}
	bad := []*kgo.Record{
		damage(func(r *kgo.Record) { r.Headers = nil }),
		damage(func(r *kgo.Record) { r.Value = []byte("{}") }),
		damage(func(r *kgo.Record) { r.Value = r.Value[:len(r.Value)-3] }),
		damage(func(r *kgo.Record) { r.Value = nil }),
		damage(set(header.Entity, "order")),
		damage(set(header.Tenant, "other")),
		damage(func(r *kgo.Record) { r.Key = []byte("default/acme/other") }),
	}
	w.apply(t, append(bad, w.record(t, good))...)
	wantOutcomes(t, w, map[string]string{"good": "applied"})
	letters := w.letters(t)
	if len(letters) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(bad))
	}
	for i, d := range letters {
		if d.Reason != reason.UndecodableEvent || d.Failed.Offset != int64(i) || d.Class != failure.Permanent.String() {
			t.Errorf("dead letter %d: %s %s at %s (%s)", i, d.Class, d.Reason, d.Failed, d.Message)
		}
	}
}

func TestValuesThatNoColumnHoldsAreDeadLettered(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 3000)
	with := func(name string, v any) func(*event.Event) {
		return func(ev *event.Event) { ev.SetField(name, v) }
	}
	changes := []func(*event.Event){
		with("name", "a\x00b"),
		with("tags", []string{"ok", "a\x00b"}),
		with("extra", map[string]string{"a\x00": "b"}),
		with("name", "a\xffb"),
		with("tags", []string{"ok", "\xc3"}),
		with("extra", map[string]string{"a": "\xed\xa0\x80"}), // half of a surrogate pair
		with("created_at", time.UnixMicro(-1<<62)),
		with("created_at", time.UnixMicro(1<<63-1)),
		func(ev *event.Event) { ev.Meta.EventID = "\x00" },
		func(ev *event.Event) { ev.Meta.EventID = "\xff" },
		func(ev *event.Event) { ev.ID, ev.Meta.BusinessKey = long, long },
		func(ev *event.Event) { ev.Meta.Version.Order = -1 },
		func(ev *event.Event) { ev.Meta.Version.Generation = 0 },
	}
	var events []*event.Event
	for i, change := range changes {
		ev := newEvent("customer", "c", fmt.Sprint("bad", i), int64(i), map[string]any{})
		change(ev)
		events = append(events, ev)
	}
	records := w.records(t, append(events, newEvent("customer", "c", "good", 1, nil), newEvent("customer", "c", "bad", 2, nil))...)
	forged := header.List(records[len(records)-1].Headers)
	forged.Set(header.OriginTopic, "a\x00b")
	records[len(records)-1].Headers = forged
	w.apply(t, records...)
	wantOutcomes(t, w, map[string]string{"good": "applied"})
	letters := w.letters(t)
	if len(letters) != len(changes)+1 {
		t.Errorf("%d dead letters, want %d", len(letters), len(changes)+1)
	}
	for _, d := range letters {
		if d.Reason != reason.InvalidValue {
			t.Errorf("dead letter of %s: %s (%s)", d.Failed, d.Reason, d.Message)
		}
	}
}

// swapRegistry has the store ask another registry, which has none of its schemas, until
// back is called.
func (w *world) swapRegistry(t *testing.T, url string) (back func()) {
	t.Helper()
	client, err := sr.NewClient(sr.URLs(url))
	must(t, err)
	was := w.store.decoder.schemas
	w.store.decoder.schemas = registry.NewDecoder(client)
	return func() { w.store.decoder.schemas = was }
}

func TestRegistryAwayIsTransient(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e", 1, nil)))
	back := w.swapRegistry(t, "http://127.0.0.1:1")
	if err := w.store.Apply(t.Context(), batches, nil); err == nil || failure.Of(err) != failure.Transient {
		t.Fatalf("Apply() = %v, want a Transient error", err)
	}
	back()
	must(t, w.store.Apply(t.Context(), batches, nil))
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// TestALostSchemaHoldsItsPartition: transform wrote the event, so its schema was
// there. No good event becomes a dead letter unless somebody says so.
func TestALostSchemaHoldsItsPartition(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e", 1, nil)))
	empty := srfake.New()
	defer empty.Close()
	back := w.swapRegistry(t, empty.URL())
	var hold *kafka.Hold
	err := w.store.Apply(t.Context(), batches, nil)
	if !errors.As(err, &hold) || len(hold.Partitions) != 1 || hold.Partitions[0] != batches[0].Partition ||
		!strings.Contains(hold.Reason, "the schema registry lost a schema") {
		t.Fatalf("Apply() = %v, want a hold of its partition", err)
	}
	back()
	must(t, w.store.Apply(t.Context(), batches, nil))
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestALostSchemaIsADeadLetterWhereAllAreWanted(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e", 1, nil)))
	empty := srfake.New()
	defer empty.Close()
	w.swapRegistry(t, empty.URL())
	w.store.cfg.DeadLetterAll = true
	must(t, w.store.Apply(t.Context(), batches, nil))
	if letters := w.letters(t); len(letters) != 1 || letters[0].Reason != reason.UndecodableEvent {
		t.Errorf("dead letters %v", letters)
	}
}
