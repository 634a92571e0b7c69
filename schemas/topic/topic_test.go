// SPDX-License-Identifier: Apache-2.0

package topic

import (
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,10}`)
		tenant, provider, id := name.Draw(t, "tenant"), name.Draw(t, "provider"), rapid.String().Draw(t, "id")
		gotTenant, gotProvider, gotID, err := ParseKey(Key(tenant, provider, id))
		if err != nil || gotTenant != tenant || gotProvider != provider || gotID != id {
			t.Fatalf("got %q %q %q, %v", gotTenant, gotProvider, gotID, err)
		}
	})
}

func TestParseKeyRefuses(t *testing.T) {
	for _, key := range []string{"", "a", "a/b", "/b/c", "a//c"} {
		if _, _, _, err := ParseKey([]byte(key)); err == nil {
			t.Errorf("%q was taken for a key", key)
		}
	}
	if _, _, _, err := ParseKey([]byte(strings.Repeat("x", 1<<20))); err == nil || len(err.Error()) > 300 {
		t.Errorf("the error quotes the whole key: %d bytes", len(err.Error()))
	}
}

func TestEntityIsTheReverseOfEvents(t *testing.T) {
	n := DefaultNames()
	if got := n.Events("payment"); got != "events.payment.v1" {
		t.Errorf("got %s", got)
	}
	if entity, ok := n.Entity("events.payment.v1"); !ok || entity != "payment" {
		t.Errorf("got %q, %v", entity, ok)
	}
	for _, other := range []string{"hookstream.raw", "events.payment", "payment.v1", ""} {
		if _, ok := n.Entity(other); ok {
			t.Errorf("%q was taken for an event topic", other)
		}
	}
}

func TestPrefixedNamesShareNoTopic(t *testing.T) {
	taken := map[string]bool{}
	for _, prefix := range []string{"", "a.", "b."} {
		for _, s := range DefaultNames().Prefixed(prefix).Pipeline([]string{"payment"}, Sizing{}) {
			if taken[s.Name] || !strings.HasPrefix(s.Name, prefix) {
				t.Errorf("%s, with the prefix %q", s.Name, prefix)
			}
			taken[s.Name] = true
		}
	}
}

func TestPipeline(t *testing.T) {
	specs := DefaultNames().Pipeline([]string{"payment"}, Sizing{
		Partitions: 6, MaxMessageBytes: 1 << 20, Retention: 30 * 24 * time.Hour, DedupWindow: 72 * time.Hour,
	})
	retention := map[string]string{}
	for _, s := range specs {
		if s.Partitions != 6 || s.Config["max.message.bytes"] != "1048576" {
			t.Errorf("%s: %d partitions, %v", s.Name, s.Partitions, s.Config)
		}
		retention[s.Name] = s.Config["cleanup.policy"] + " " + s.Config["retention.ms"]
	}
	want := map[string]string{
		"hookstream.raw":             "delete 2592000000",
		"events.payment.v1":          "delete 2592000000",
		"hookstream.sink.replay":     "delete 2592000000",
		"hookstream.dedup":           "delete 345600000", // the window and a day
		"hookstream.held":            "compact ",         // never while held
		"hookstream.dlq":             "delete -1",        // never while open
		"hookstream.dlq.resolutions": "compact ",
	}
	if !maps.Equal(retention, want) {
		t.Errorf("got %v, want %v", retention, want)
	}
}
