// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
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
		"empty": {}, "not wire format": []byte(`{"json":true}`),
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

// TestWhatARegistryAnswersIsNoFaultOfTheValue: of all that a registry or something in
// front of it may say, only another id's schema and "no such id" mean that it lost one.
func TestWhatARegistryAnswersIsNoFaultOfTheValue(t *testing.T) {
	customer, _ := event.Lookup("customer")
	asJSON := func(schema string) string {
		text, err := json.Marshal(map[string]string{"schema": schema})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	login := strings.Repeat("<html>please log in</html>", 1000)
	for name, c := range map[string]struct {
		status int
		body   string
		lost   bool
	}{
		"no such id":               {404, `{"error_code": 40403, "message": "Schema 7 not found"}`, true},
		"another entity's":         {200, asJSON(customer.Schema()), true},
		"no schema":                {200, `{}`, true},
		"not found, by a proxy":    {404, login, false},
		"a conflict":               {409, `{"error_code": 409, "message": "x"}`, false},
		"an error":                 {500, `{"error_code": 50001, "message": "x"}`, false},
		"a page":                   {200, login, false},
		"half an answer":           {200, `{"schema": "{\"type`, false},
		"another server's refusal": {401, login, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		defer server.Close()
		_, err := NewDecoder(client(t, server.URL)).Decode(t.Context(), "payment", []byte{0, 0, 0, 0, 7, 1})
		if err == nil || errors.As(err, new(*Unknown)) || errors.Is(err, ErrLost) != c.lost {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
	redirect := httptest.NewServer(nil)
	redirect.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			_, _ = io.WriteString(w, login)
			return
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	defer redirect.Close()
	if _, err := NewDecoder(client(t, redirect.URL)).Decode(t.Context(), "payment", []byte{0, 0, 0, 0, 7, 1}); err == nil || errors.As(err, new(*Unknown)) {
		t.Errorf("a redirect to a page: got %v", err)
	}
}

// TestVerifyNoticesALostSchema: a registry that came back empty, or gave the ids to
// others.
func TestVerifyNoticesALostSchema(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	enc, err := NewEncoder(t.Context(), client(t, reg.URL()), topicOf)
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Verify(t.Context(), client(t, reg.URL())); err != nil {
		t.Errorf("as it was: %v", err)
	}
	empty := srfake.New()
	defer empty.Close()
	if err := enc.Verify(t.Context(), client(t, empty.URL())); !errors.Is(err, ErrLost) {
		t.Errorf("empty: %v", err)
	}
	other := client(t, empty.URL())
	for _, e := range slices.Backward(event.Entities()) {
		if _, err := Register(t.Context(), other, topicOf(e.Name), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Verify(t.Context(), other); !errors.Is(err, ErrLost) {
		t.Errorf("ids of others: %v", err)
	}
	empty.Close()
	if err := enc.Verify(t.Context(), other); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("away: %v", err)
	}
}
