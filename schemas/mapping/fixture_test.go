// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
)

func fixtures(t *testing.T) []*fixture.Fixture {
	t.Helper()
	all, err := fixture.Load("../provider/definitions")
	if err != nil || len(all) < 40 {
		t.Fatalf("%d fixtures, %v", len(all), err)
	}
	return all
}

func catalog(t *testing.T) provider.Catalog {
	t.Helper()
	c, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compiled(t *testing.T, def *provider.Definition) *Mapper {
	t.Helper()
	m, err := Compile(def)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFixtures(t *testing.T) {
	defs, mappers := catalog(t), map[string]*Mapper{}
	for name, def := range defs {
		mappers[name] = compiled(t, def)
	}
	for _, f := range fixtures(t) {
		t.Run(f.Name(), func(t *testing.T) {
			def := defs[f.Provider]
			if def == nil {
				t.Fatalf("no definition of %s", f.Provider)
			}
			w, err := f.Webhook(def)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := mappers[f.Provider].Map(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range f.Compare(w, ev) {
				t.Error(problem)
			}
			checkMeta(t, ev, w, def)
			checkEncodes(t, ev)
		})
	}
}

func checkMeta(t *testing.T, ev *event.Event, w *record.Webhook, def *provider.Definition) {
	t.Helper()
	m := ev.Meta
	order := w.OccurredAt.UnixMicro()
	if w.OccurredAt.IsZero() {
		order = w.ReceivedAt.UnixMicro()
	}
	if w.Sequence != nil {
		order = *w.Sequence
	}
	if want := (event.Version{Order: order, Generation: Generation, Offset: 2, Revision: def.Revision}); m.Version != want {
		t.Errorf("version %+v, want %+v", m.Version, want)
	}
	if m.EventID != w.EventID || m.EventType != w.EventType || m.Provider != w.Provider || m.Tenant != w.Tenant || m.BusinessKey != w.BusinessKey ||
		!m.OccurredAt.Equal(w.OccurredAt) || !m.ReceivedAt.Equal(w.ReceivedAt) || m.CorrelationID != "c" ||
		m.RawTopic != "hookstream.raw" || m.RawPartition != 1 || m.RawOffset != 2 {
		t.Errorf("meta %+v is not of webhook %+v", m, w)
	}
}

func checkEncodes(t *testing.T, ev *event.Event) {
	t.Helper()
	entity, _ := event.Lookup(ev.Entity)
	data, err := entity.AppendEncode(nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := entity.Decoder(entity.Schema())
	if err != nil {
		t.Fatal(err)
	}
	back, err := dec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if entity.Digest(back) != entity.Digest(ev) && ev.Field("extra") != nil {
		t.Errorf("Avro changed the event: %+v, then %+v", ev, back)
	}
}

// TestEveryRuleHasAFixture keeps definitions from growing untried.
func TestEveryRuleHasAFixture(t *testing.T) {
	tried := map[*provider.Rule]bool{}
	defs := catalog(t)
	for _, f := range fixtures(t) {
		if rule := defs[f.Provider].RuleFor(f.Want.EventType); rule != nil {
			tried[rule] = true
		}
	}
	for _, name := range defs.Names() {
		for i := range defs[name].Events {
			if rule := &defs[name].Events[i]; !tried[rule] {
				t.Errorf("%s: no fixture for %v", name, rule.Types)
			}
		}
	}
}

// TestAnEntityBelongsToOneKey compares the fixtures with each other.
func TestAnEntityBelongsToOneKey(t *testing.T) {
	keys := map[string]string{}
	for _, f := range fixtures(t) {
		entity := f.Want.Entity + " " + string(topic.Key("default", f.Provider, f.Want.ID))
		if other, ok := keys[entity]; ok && other != f.Want.Key {
			t.Errorf("%s: %s is of key %q and of key %q", f.File, entity, f.Want.Key, other)
		}
		keys[entity] = f.Want.Key
	}
}
