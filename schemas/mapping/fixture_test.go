// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
)

// fixture is a file under testdata; its README describes the format.
type fixture struct {
	Provider string            `yaml:"provider"`
	Headers  map[string]string `yaml:"headers"`
	Body     string            `yaml:"body"`
	Want     struct {
		EventID   string         `yaml:"event_id"`
		EventType string         `yaml:"event_type"`
		Key       string         `yaml:"key"`
		Time      *string        `yaml:"time"`
		Entity    string         `yaml:"entity"`
		ID        string         `yaml:"id"`
		Deleted   bool           `yaml:"deleted"`
		Groups    []string       `yaml:"groups"`
		Fields    map[string]any `yaml:"fields"`
	} `yaml:"want"`
}

func fixtures(t *testing.T) map[string]*fixture {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	all := map[string]*fixture{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f fixture
		if err := yaml.Load(data, &f, yaml.WithKnownFields()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if folder := filepath.Base(filepath.Dir(file)); folder != f.Provider {
			t.Fatalf("%s is of provider %s", file, f.Provider)
		}
		all[strings.TrimPrefix(strings.TrimSuffix(file, ".yaml"), "testdata/")] = &f
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

// webhook identifies a fixture's request as the edge does.
func (f *fixture) webhook(t *testing.T, def *provider.Definition) *record.Webhook {
	t.Helper()
	headers := http.Header{}
	for name, value := range f.Headers {
		headers.Set(name, value)
	}
	paths := def.BodyPaths()
	values, err := body.NewPaths(paths).Extract([]byte(f.Body))
	if err != nil {
		t.Fatal(err)
	}
	found, err := def.Identity.Identify(func(ref provider.Ref) (string, bool) {
		switch ref.Kind {
		case provider.RefHeader:
			v := headers.Get(ref.Name)
			return v, v != ""
		case provider.RefBodyPath:
			for i, p := range paths {
				if p == ref.Name {
					return values[i].Text, values[i].OK
				}
			}
		}
		return "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &record.Webhook{
		Tenant: "default", Provider: f.Provider, EventID: found.EventID, IdentitySource: found.Source, EventType: found.EventType,
		BusinessKey: found.BusinessKey, OccurredAt: found.OccurredAt, Sequence: found.Sequence,
		ReceivedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), CorrelationID: "c", Request: map[string]string{}, Body: []byte(f.Body),
		Position: record.Position{Topic: "hookstream.raw", Partition: 1, Offset: 2},
	}
	for _, name := range def.RequestHeaders() {
		if v := headers.Get(name); v != "" {
			w.Request[strings.ToLower(name)] = v
		}
	}
	return w
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
	defs := catalog(t)
	for name, f := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			def := defs[f.Provider]
			w := f.webhook(t, def)
			if w.EventID != f.Want.EventID || w.EventType != f.Want.EventType || w.BusinessKey != f.Want.Key {
				t.Errorf("identified as event %q of type %q with key %q", w.EventID, w.EventType, w.BusinessKey)
			}
			if got := timeText(w.OccurredAt); !reflect.DeepEqual(got, f.Want.Time) {
				t.Errorf("occurred at %v", got)
			}
			ev, err := compiled(t, def).Map(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			checkEvent(t, ev, f)
			checkMeta(t, ev, w, def)
			checkEncodes(t, ev)
		})
	}
}

func timeText(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.RFC3339Nano)
	return &s
}

func checkEvent(t *testing.T, ev *event.Event, f *fixture) {
	t.Helper()
	if ev.Entity != f.Want.Entity || ev.ID != f.Want.ID || ev.Meta.Deleted != f.Want.Deleted || !reflect.DeepEqual(ev.Meta.Groups, f.Want.Groups) {
		t.Errorf("got %s %s, deleted %v, groups %v", ev.Entity, ev.ID, ev.Meta.Deleted, ev.Meta.Groups)
	}
	entity, ok := event.Lookup(ev.Entity)
	if !ok {
		t.Fatalf("no entity %s", ev.Entity)
	}
	for name, want := range f.Want.Fields {
		if _, ok := entity.Field(name); !ok {
			t.Errorf("the fixture wants field %s, which %s has not", name, ev.Entity)
		}
		field, _ := entity.Field(name)
		if got := plain(ev.Fields[name]); !equal(field, got, want) {
			t.Errorf("field %s is %#v, want %#v", name, got, want)
		}
	}
	for name, got := range ev.Fields {
		if _, ok := f.Want.Fields[name]; !ok {
			t.Errorf("field %s is %#v, want null", name, got)
		}
	}
}

// plain is a field's value as a fixture writes it.
func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return int(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = v[k]
		}
		return out
	}
	return v
}

func equal(field *event.Field, got, want any) bool {
	if field == nil || field.Kind != event.JSON {
		return reflect.DeepEqual(got, want)
	}
	var g, w any
	gotText, isText := got.(string)
	wantText, wantsText := want.(string)
	return isText && wantsText && json.Unmarshal([]byte(gotText), &g) == nil && json.Unmarshal([]byte(wantText), &w) == nil && reflect.DeepEqual(g, w)
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
	// Order holds only while an entity id belongs to one business key.
	if ev.ID != m.BusinessKey && !strings.HasPrefix(ev.ID, m.BusinessKey+"/") {
		t.Errorf("entity id %q does not belong to business key %q", ev.ID, m.BusinessKey)
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
	if entity.Digest(back) != entity.Digest(ev) && ev.Fields["extra"] != nil {
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
	for name, f := range fixtures(t) {
		entity := f.Want.Entity + " " + string(topic.Key("default", f.Provider, f.Want.ID))
		if other, ok := keys[entity]; ok && other != f.Want.Key {
			t.Errorf("%s: %s is of key %q and of key %q", name, entity, f.Want.Key, other)
		}
		keys[entity] = f.Want.Key
	}
}
