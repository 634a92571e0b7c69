// SPDX-License-Identifier: Apache-2.0

// Package topic names Hookstream's Kafka topics, says how each is keyed and
// how it must be configured.
package topic

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/schemas/setting"
)

// Names are the topic names of one installation. The struct tags make it part
// of every service's configuration.
type Names struct {
	Raw          string `help:"Topic of raw webhooks." default:"hookstream.raw" env:"HOOKSTREAM_TOPIC_RAW" is:"topic"`
	Dedup        string `help:"Topic of the deduplication changelog." default:"hookstream.dedup" env:"HOOKSTREAM_TOPIC_DEDUP" is:"topic"`
	Held         string `help:"Topic of raw webhooks that transform holds until their definition is corrected." default:"hookstream.held" env:"HOOKSTREAM_TOPIC_HELD" is:"topic"`
	DeadLetters  string `help:"Topic of dead letters." default:"hookstream.dlq" env:"HOOKSTREAM_TOPIC_DLQ" is:"topic"`
	Resolutions  string `help:"Topic of dead-letter resolutions." default:"hookstream.dlq.resolutions" env:"HOOKSTREAM_TOPIC_RESOLUTIONS" is:"topic"`
	SinkReplay   string `help:"Topic of events replayed to the sink alone." default:"hookstream.sink.replay" env:"HOOKSTREAM_TOPIC_SINK_REPLAY" is:"topic"`
	EventsPrefix string `help:"Prefix of the event topics; the entity and .v1 follow." default:"events." env:"HOOKSTREAM_TOPIC_EVENTS_PREFIX" is:"optional prefix"`
}

// Validate checks the names, and that no topic has two tasks. Errors name the
// variable.
func (n Names) Validate() error {
	errs := []error{setting.Check(&n)}
	taken := map[string]string{}
	for _, t := range []struct{ variable, name string }{
		{"HOOKSTREAM_TOPIC_RAW", n.Raw}, {"HOOKSTREAM_TOPIC_DEDUP", n.Dedup}, {"HOOKSTREAM_TOPIC_HELD", n.Held},
		{"HOOKSTREAM_TOPIC_DLQ", n.DeadLetters}, {"HOOKSTREAM_TOPIC_RESOLUTIONS", n.Resolutions}, {"HOOKSTREAM_TOPIC_SINK_REPLAY", n.SinkReplay},
	} {
		if other, twice := taken[t.name]; twice && t.name != "" {
			errs = append(errs, fmt.Errorf("%s and %s are both %.60q, must be different topics", other, t.variable, t.name))
		}
		taken[t.name] = t.variable
	}
	return errors.Join(errs...)
}

// DefaultNames are the names that the documentation uses.
func DefaultNames() Names {
	return Names{
		Raw:          "hookstream.raw",
		Dedup:        "hookstream.dedup",
		Held:         "hookstream.held",
		DeadLetters:  "hookstream.dlq",
		Resolutions:  "hookstream.dlq.resolutions",
		SinkReplay:   "hookstream.sink.replay",
		EventsPrefix: "events.",
	}
}

// Prefixed are the names with a prefix before each, for installations that share
// a Kafka.
func (n Names) Prefixed(prefix string) Names {
	return Names{
		Raw: prefix + n.Raw, Dedup: prefix + n.Dedup, Held: prefix + n.Held, DeadLetters: prefix + n.DeadLetters,
		Resolutions: prefix + n.Resolutions, SinkReplay: prefix + n.SinkReplay, EventsPrefix: prefix + n.EventsPrefix,
	}
}

const eventsSuffix = ".v1"

// Events is the topic of an entity's events, for example events.payment.v1.
func (n Names) Events(entity string) string {
	return n.EventsPrefix + entity + eventsSuffix
}

// Entity is the reverse of Events. It reports false for a topic that is not an
// event topic.
func (n Names) Entity(topic string) (string, bool) {
	rest, ok := strings.CutPrefix(topic, n.EventsPrefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, eventsSuffix)
}

// Key is the record key of a raw webhook (id is the business key) or an event
// (id is the entity id): tenant/provider/id. Tenant and provider names hold no
// slash, so the id may.
func Key(tenant, provider, id string) []byte {
	return []byte(tenant + "/" + provider + "/" + id)
}

// ParseKey splits a key made by Key.
func ParseKey(key []byte) (tenant, provider, id string, err error) {
	parts := strings.SplitN(string(key), "/", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return "", "", "", fmt.Errorf("record key %.100q is not tenant/provider/id", key)
	}
	return parts[0], parts[1], parts[2], nil
}
