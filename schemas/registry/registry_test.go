// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
)

func client(t *testing.T, url string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func topicOf(entity string) string { return "events." + entity + ".v1" }

func sample(entity string) *event.Event {
	return &event.Event{
		Entity: entity, ID: "k/1",
		Meta: event.Meta{
			EventID: "evt_1", EventType: "a.b", Provider: "acme", Tenant: "default", BusinessKey: "k",
			OccurredAt: time.UnixMicro(1_700_000_000_123_456).UTC(), ReceivedAt: time.UnixMicro(1_700_000_001_000_000).UTC(),
			Version:       event.Version{Order: 1_700_000_000_123_456, Generation: 1, Offset: 42, Revision: 3},
			CorrelationID: "c", RawTopic: "hookstream.raw", RawPartition: 2, RawOffset: 42,
		},
	}
}

func TestRoundTripOfEveryEntity(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	cl := client(t, reg.URL())
	enc, err := NewEncoder(t.Context(), cl, topicOf)
	if err != nil {
		t.Fatal(err)
	}
	dec := NewDecoder(cl)
	for _, entity := range event.Entities() {
		want := sample(entity.Name)
		for _, f := range entity.Fields {
			want.SetField(f.Name, sampleValue(f.Kind))
		}
		value, err := enc.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dec.Decode(t.Context(), entity.Name, value)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", entity.Name, got, want)
		}
	}
}

func sampleValue(k event.Kind) any {
	switch k {
	case event.Long:
		return int64(1) << 60
	case event.Boolean:
		return true
	case event.Double:
		return 1.5
	case event.Timestamp:
		return time.UnixMicro(1_700_000_000_000_001).UTC()
	case event.StringArray:
		return []string{"a", "b"}
	case event.StringMap:
		return map[string]string{"k": "v"}
	default:
		return "ü"
	}
}

func TestIncompatibleSchemaIsRefused(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	cl := client(t, reg.URL())
	payment, _ := event.Lookup("payment")
	other := `{"type":"record","name":"Payment","namespace":"hookstream.events.v1","fields":[{"name":"id","type":"long"}]}`
	if _, err := cl.CreateSchema(t.Context(), Subject("events.payment.v1"), sr.Schema{Schema: other, Type: sr.TypeAvro}); err != nil {
		t.Fatal(err)
	}
	if _, err := Register(t.Context(), cl, "events.payment.v1", payment); !errors.Is(err, ErrIncompatible) {
		t.Errorf("got %v, want ErrIncompatible", err)
	}
}

func TestRegisterTwiceKeepsTheID(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	cl := client(t, reg.URL())
	payment, _ := event.Lookup("payment")
	first, err := Register(t.Context(), cl, "events.payment.v1", payment)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Register(t.Context(), cl, "events.payment.v1", payment)
	if err != nil || first != second {
		t.Errorf("got %d then %d, %v", first, second, err)
	}
}

func TestDecodeTellsForeignValuesFromAnOutage(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	dec := NewDecoder(client(t, reg.URL()))
	var unknown *Unknown
	for name, value := range map[string][]byte{
		"empty": {}, "not wire format": []byte(`{"json":true}`), "unknown id": {0, 0, 0, 0, 99, 1},
	} {
		if _, err := dec.Decode(t.Context(), "payment", value); !errors.As(err, &unknown) {
			t.Errorf("%s: got %v, want Unknown", name, err)
		}
	}

	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	cl, err := sr.NewClient(sr.URLs(down.URL))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewDecoder(cl).Decode(t.Context(), "payment", []byte{0, 0, 0, 0, 1, 1})
	if err == nil || errors.As(err, &unknown) || !strings.Contains(err.Error(), "schema registry") {
		t.Errorf("got %v, want an error of the registry", err)
	}
}
