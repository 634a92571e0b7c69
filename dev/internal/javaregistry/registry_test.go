// SPDX-License-Identifier: Apache-2.0

package javaregistry

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/registry"
)

const testTimeout = 3 * time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

func startTest(t *testing.T, dir string) (*Registry, *sr.Client) {
	t.Helper()
	began := time.Now()
	r, err := Start(testContext(t), Options{DataDir: dir})
	if errors.Is(err, jvm.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { _ = r.Stop(context.WithoutCancel(t.Context())) })
	client, err := sr.NewClient(sr.URLs(r.URL()))
	if err != nil {
		t.Fatal(err)
	}
	return r, client
}

func topicOf(entity string) string { return "events." + entity + ".v1" }

func sample(entity string) *event.Event {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return &event.Event{
		Entity: entity, ID: "k/1",
		Meta: event.Meta{
			EventID: "evt_1", EventType: "a.b", Provider: "acme", Tenant: "default", BusinessKey: "k",
			OccurredAt: at, ReceivedAt: at,
			Version:       event.Version{Order: 1, Generation: 1, Offset: 42, Revision: 3},
			CorrelationID: "c", RawTopic: "raw", RawPartition: 2, RawOffset: 42,
		},
	}
}

func roundTrip(t *testing.T, client *sr.Client) map[string][]byte {
	t.Helper()
	encoder, err := registry.NewEncoder(testContext(t), client, topicOf)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]byte{}
	for _, entity := range event.Entities() {
		if values[entity.Name], err = encoder.Encode(sample(entity.Name)); err != nil {
			t.Fatal(err)
		}
	}
	expectReadable(t, client, values)
	return values
}

// expectReadable decodes with nothing but the registry's knowledge of the ids.
func expectReadable(t *testing.T, client *sr.Client, values map[string][]byte) {
	t.Helper()
	decoder := registry.NewDecoder(client)
	for entity, value := range values {
		got, err := decoder.Decode(testContext(t), entity, value)
		if err != nil {
			t.Fatalf("%s: %v", entity, err)
		}
		want := sample(entity)
		if got.ID != want.ID || !reflect.DeepEqual(got.Meta, want.Meta) {
			t.Errorf("%s: got %+v, want %+v", entity, got, want)
		}
	}
}

func TestEverySchemaIsKeptAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	first, client := startTest(t, dir)
	values := roundTrip(t, client)
	if err := first.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.Done():
	case <-testContext(t).Done():
		t.Fatal("Done is open after Stop")
	}

	_, client = startTest(t, dir)
	expectReadable(t, client, values)
	again := roundTrip(t, client) // registers all schemas once more
	if !reflect.DeepEqual(again, values) {
		t.Error("schemas registered again got other ids")
	}
	versions, err := client.SubjectVersions(testContext(t), registry.Subject(topicOf("payment")))
	if err != nil || len(versions) != 1 {
		t.Errorf("versions of payment = %v, %v; want one", versions, err)
	}
}

func TestIncompatibleSchemasAreRefused(t *testing.T) {
	_, client := startTest(t, t.TempDir())
	payment, _ := event.Lookup("payment")
	ctx := testContext(t)
	other := sr.Schema{Type: sr.TypeAvro, Schema: `{"type":"record","name":"Payment","namespace":"hookstream.events.v1","fields":[{"name":"id","type":"long"}]}`}

	// Ours, against what somebody else has registered.
	if _, err := client.CreateSchema(ctx, registry.Subject("foreign"), other); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Register(ctx, client, "foreign", payment); !errors.Is(err, registry.ErrIncompatible) {
		t.Errorf("Register() = %v, want ErrIncompatible", err)
	}

	// Somebody else's, against ours, by the registry's own rule.
	subject := registry.Subject("ours")
	if _, err := registry.Register(ctx, client, "ours", payment); err != nil {
		t.Fatal(err)
	}
	for _, result := range client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	_, err := client.CreateSchema(ctx, subject, other)
	var refused *sr.ResponseError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusConflict {
		t.Errorf("CreateSchema() = %v, want 409 Conflict", err)
	}
}

func TestUnknownSchemaIsTheRegistrysFault(t *testing.T) {
	_, client := startTest(t, t.TempDir())
	if _, err := registry.NewDecoder(client).Decode(testContext(t), "payment", []byte{0, 0, 0, 0, 99, 1}); !errors.Is(err, registry.ErrLost) {
		t.Errorf("Decode() = %v, want ErrLost", err)
	}
}
