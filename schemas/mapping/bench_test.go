// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/itchyny/gojq"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/alloctest"
	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// benchmarks are fixtures, grown to the size that providers send.
var benchmarks = []struct {
	name, fixture string
	grow          func(v any)
	// allocations are at most so many an event, one of them the race detector's.
	allocations float64
}{
	{"stripe-charge", "stripe/charge.succeeded", nil, 82},
	{"stripe-invoice", "stripe/invoice.paid", nil, 135},
	{"github-pull-request", "github/pull_request.closed-merged", addLinks, 159},
	{"github-push", "github/push-branch", addLinks, 156},
	{"shopify-order", "shopify/orders.create", addAmounts, 320},
}

// addLinks gives accounts the links that GitHub gives them.
func addLinks(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			addLinks(item)
		}
	case map[string]any:
		for _, item := range v {
			addLinks(item)
		}
		url, _ := v["url"].(string)
		if v["login"] == nil || url == "" {
			return
		}
		for _, link := range strings.Fields("followers following{/other_user} gists{/gist_id} starred{/owner}{/repo} subscriptions orgs repos events{/privacy} received_events") {
			name, _, _ := strings.Cut(link, "{")
			v[name+"_url"] = url + "/" + link
		}
	}
}

// addAmounts gives an order the amounts in two currencies that Shopify gives it, and
// its lines their taxes.
func addAmounts(v any) {
	order := v.(map[string]any) //nolint:errcheck,forcetypeassert // the fixture is an order
	set := order["total_price_set"]
	for _, name := range strings.Fields("current_subtotal current_total_discounts current_total current_total_tax subtotal total_discounts total_line_items total_tax") {
		order[name+"_price_set"] = set
	}
	lines := order["line_items"].([]any) //nolint:errcheck,forcetypeassert // its lines are a list
	for _, item := range lines {
		line := item.(map[string]any) //nolint:errcheck,forcetypeassert // lines are objects
		line["price_set"], line["total_discount_set"] = set, set
		line["attributed_staffs"], line["duties"], line["properties"] = []any{}, []any{}, []any{}
		line["current_quantity"], line["fulfillment_service"], line["gift_card"] = line["quantity"], "manual", false
		line["product_exists"], line["variant_inventory_management"], line["sales_line_item_group_id"] = true, "shopify", nil
		line["tax_lines"] = []any{map[string]any{"channel_liable": false, "price": "2.55", "price_set": set, "rate": 0.19, "title": "MwSt"}}
	}
}

// rawRecord is the raw record of a benchmark's webhook.
func rawRecord(b testing.TB, name string, grow func(any), defs provider.Catalog) (*kgo.Record, *Mapper) {
	b.Helper()
	all, err := fixture.Load("../provider/definitions")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range all {
		if f.Name() != name {
			continue
		}
		w, err := f.Webhook(defs[f.Provider])
		if err != nil {
			b.Fatal(err)
		}
		if grow != nil {
			v, err := body.Decode(w.Body)
			if err != nil {
				b.Fatal(err)
			}
			grow(v)
			if w.Body, err = gojq.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
		m, err := Compile(defs[f.Provider])
		if err != nil {
			b.Fatal(err)
		}
		return w.Record("hookstream.raw"), m
	}
	b.Fatalf("no fixture %s", name)
	return nil, nil
}

// TestAllocations guards the cost of an event where wall time cannot.
func TestAllocations(t *testing.T) {
	defs, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, bench := range benchmarks {
		r, m := rawRecord(t, bench.fixture, bench.grow, defs)
		if n := alloctest.Fewest(func() { process(t, m, r) }); n > bench.allocations {
			t.Errorf("%s takes %v allocations, at most %v are allowed", bench.name, n, bench.allocations)
		}
	}
}

// BenchmarkProcess is what transform does with one record before it waits for
// anything.
func BenchmarkProcess(b *testing.B) {
	defs, err := provider.Load("")
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			r, m := rawRecord(b, bench.fixture, bench.grow, defs)
			b.ReportAllocs()
			for b.Loop() {
				process(b, m, r)
			}
		})
	}
}

// BenchmarkEvent is BenchmarkProcess and beside it, in turns, what encoding/json takes
// to decode the same body. The ratio of the two is what to look at.
func BenchmarkEvent(b *testing.B) {
	defs, err := provider.Load("")
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			r, m := rawRecord(b, bench.fixture, bench.grow, defs)
			var ours, theirs time.Duration
			events := 0
			for b.Loop() {
				ours += cpuTime(b, func() { process(b, m, r) })
				theirs += cpuTime(b, func() {
					var v any
					if err := json.Unmarshal(r.Value, &v); err != nil {
						b.Fatal(err)
					}
				})
				events += turn
			}
			b.ReportMetric(float64(ours)/float64(events), "ns/event")
			b.ReportMetric(float64(theirs)/float64(events), "ns/encoding-json")
			b.ReportMetric(float64(ours)/float64(theirs), "of-encoding-json")
			b.ReportMetric(float64(len(r.Value)), "bytes")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// turn is how often either is done before the other has its turn.
const turn = 100

// cpuTime is what f takes of the processor, many times, with the garbage collection
// that it causes.
func cpuTime(b *testing.B, f func()) time.Duration {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	for range turn {
		f()
	}
	return used() - before
}

// process decodes, identifies, maps, digests and encodes.
func process(b testing.TB, m *Mapper, r *kgo.Record) {
	b.Helper()
	w, err := record.ParseWebhook(r)
	if err != nil {
		b.Fatal(err)
	}
	ev, err := m.Map(b.Context(), w)
	if err != nil {
		b.Fatal(err)
	}
	entity, _ := event.Lookup(ev.Entity)
	id := identity.Of(w.Tenant, w.Provider, w.EventID)
	mark := identity.NewMark(entity.Digest(ev), 1)
	value, err := entity.AppendEncode(nil, ev)
	if err != nil {
		b.Fatal(err)
	}
	out := record.EventRecord("events", ev, value)
	if len(out.Value) == 0 || id == (identity.Fingerprint{}) && mark == (identity.Mark{}) {
		b.Fatal("nothing came of it")
	}
}
