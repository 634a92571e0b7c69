// SPDX-License-Identifier: Apache-2.0

// Package registry keeps the canonical schemas in a Confluent-compatible schema
// registry, and reads and writes values in its wire format.
package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/schemas/event"
)

// Subject is the registry subject of a topic's values (TopicNameStrategy).
func Subject(topic string) string { return topic + "-value" }

// ErrIncompatible marks a schema that data already written could not be read
// with, or the other way round.
var ErrIncompatible = errors.New("schema is incompatible")

// Register makes sure that entity's schema is registered for topic and returns
// its id. Before it adds a version, the schema must be compatible with every
// version there is, in both directions (FULL_TRANSITIVE); the registry's own
// compatibility setting is not relied on.
func Register(ctx context.Context, client *sr.Client, topic string, entity *event.Entity) (int, error) {
	standing, err := Check(ctx, client, topic, entity)
	if err != nil {
		return 0, err
	}
	if len(standing.Conflicts) > 0 {
		c := standing.Conflicts[0]
		return 0, fmt.Errorf("%w: %s against version %d of %s: %s", ErrIncompatible, entity.Name, c.Version, standing.Subject, c.Reason)
	}
	ss, err := client.CreateSchema(ctx, standing.Subject, sr.Schema{Schema: entity.Schema(), Type: sr.TypeAvro})
	if err != nil {
		return 0, ask("register "+standing.Subject, err)
	}
	return ss.ID, nil
}

// ErrLost means that the registry answers, and what an id stood for is not there: it
// came back empty or from an older backup, or answers for another one. What it gave an
// id it must keep, so this is no fault of the value.
var ErrLost = errors.New("the schema registry lost a schema")

// lost says which, and what to do.
func lost(id int, entity, why string) error {
	return fmt.Errorf("%w: id %d of %s: %s; give the registry its schemas back (docs/runbooks/schema-missing.md) and it goes on by itself", ErrLost, id, entity, why)
}

// ask is an error of the registry's. What it answered may be a whole page.
func ask(what string, err error) error {
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.ErrorCode == 0 {
		return fmt.Errorf("schema registry: %s: it answers %d, and nothing that a registry says: %w", what, answer.StatusCode, &odd{answer})
	}
	return fmt.Errorf("schema registry: %s: %w", what, err)
}

// odd is an answer that is not a registry's, such as a proxy's page, cut short.
type odd struct{ answer *sr.ResponseError }

// Error is the answer's begin.
func (o *odd) Error() string { return fmt.Sprintf("%.100q", o.answer.Raw) }

// Unwrap is the answer.
func (o *odd) Unwrap() error { return o.answer }

// get asks for the schema that an id of entity stands for.
func get(ctx context.Context, client *sr.Client, entity *event.Entity, id int) (string, error) {
	schema, err := client.SchemaByID(ctx, id)
	if is(err, sr.ErrSchemaNotFound) {
		return "", lost(id, entity.Name, "there is no such id")
	}
	if err != nil {
		return "", ask(fmt.Sprintf("get schema %d", id), err)
	}
	return schema.Schema, nil
}

// is reports whether the registry answered with this error.
func is(err error, want *sr.Error) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.ErrorCode == want.Code
}

// Encoder writes events in the wire format.
type Encoder struct {
	ids map[string]int
}

// NewEncoder registers every entity's schema for its topic.
func NewEncoder(ctx context.Context, client *sr.Client, topicOf func(entity string) string) (*Encoder, error) {
	e := &Encoder{ids: map[string]int{}}
	for _, entity := range event.Entities() {
		id, err := Register(ctx, client, topicOf(entity.Name), entity)
		if err != nil {
			return nil, err
		}
		e.ids[entity.Name] = id
	}
	return e, e.Verify(ctx, client)
}

// Verify asks whether the registry still has the schemas that e writes. The error is
// ErrLost where it answers that it does not; any other says that it is away.
func (e *Encoder) Verify(ctx context.Context, client *sr.Client) error {
	for _, entity := range event.Entities() {
		id := e.ids[entity.Name]
		schema, err := get(ctx, client, entity, id)
		if err != nil {
			return err
		}
		if err := event.CheckCompatible(schema, entity.Schema()); err != nil {
			return lost(id, entity.Name, fmt.Sprintf("it is another schema: %.200s", err))
		}
	}
	return nil
}

// Encode is the wire format of ev: a zero byte, the schema id in four bytes,
// big-endian, and Avro binary.
func (e *Encoder) Encode(ev *event.Event) ([]byte, error) {
	entity, ok := event.Lookup(ev.Entity)
	if !ok {
		return nil, fmt.Errorf("encode %s: no such entity", ev.Entity)
	}
	var header sr.ConfluentHeader
	dst, err := header.AppendEncode(nil, e.ids[ev.Entity], nil)
	if err != nil {
		return nil, err
	}
	return entity.AppendEncode(dst, ev)
}

// Unknown is the error for a value that is not in the wire format, or not what its
// schema says. It tells a foreign or damaged value from trouble of the registry.
type Unknown struct{ Err error }

// Error is the cause's message.
func (u *Unknown) Error() string { return u.Err.Error() }

// Unwrap is the cause.
func (u *Unknown) Unwrap() error { return u.Err }

// Decoder reads values in the wire format. It asks the registry once for each
// schema id and entity. It is safe for concurrent use.
type Decoder struct {
	client *sr.Client

	mu       sync.Mutex
	decoders map[decoderKey]*event.Decoder
}

type decoderKey struct {
	entity string
	id     int
}

// maxDecoders bounds the cache against a producer that writes ever new ids; a
// real subject has a handful of versions.
const maxDecoders = 1000

// NewDecoder makes a Decoder that resolves schema ids with client.
func NewDecoder(client *sr.Client) *Decoder {
	return &Decoder{client: client, decoders: map[decoderKey]*event.Decoder{}}
}

// Decode reads a value as an event of the entity. An error that is *Unknown is
// the value's fault and stays; any other is the registry's and may pass. That it does
// not have the value's schema is ErrLost.
func (d *Decoder) Decode(ctx context.Context, entity string, value []byte) (*event.Event, error) {
	var header sr.ConfluentHeader
	id, data, err := header.DecodeID(value)
	if err != nil {
		return nil, &Unknown{fmt.Errorf("value is not in the schema registry's wire format: %w", err)}
	}
	dec, err := d.decoder(ctx, entity, id)
	if err != nil {
		return nil, err
	}
	ev, err := dec.Decode(data)
	if err != nil {
		return nil, &Unknown{err}
	}
	return ev, nil
}

func (d *Decoder) decoder(ctx context.Context, entity string, id int) (*event.Decoder, error) {
	key := decoderKey{entity, id}
	d.mu.Lock()
	dec, ok := d.decoders[key]
	d.mu.Unlock()
	if ok {
		return dec, nil
	}
	e, ok := event.Lookup(entity)
	if !ok {
		return nil, &Unknown{fmt.Errorf("no entity is called %.40q", entity)}
	}
	schema, err := get(ctx, d.client, e, id)
	if err != nil {
		return nil, err
	}
	dec, err = e.Decoder(schema)
	if err != nil {
		return nil, lost(id, entity, fmt.Sprintf("it is another schema: %.200s", err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.decoders) >= maxDecoders {
		clear(d.decoders)
	}
	d.decoders[key] = dec
	return dec, nil
}
