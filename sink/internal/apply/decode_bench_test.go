// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/kafka"
)

// BenchmarkDecode is what the sink does with an event of about 1 kB before it
// knows Postgres.
func BenchmarkDecode(b *testing.B) {
	fake := srfake.New()
	defer fake.Close()
	client, err := sr.NewClient(sr.URLs(fake.URL()))
	must(b, err)
	names := topic.DefaultNames()
	encoder, err := registry.NewEncoder(b.Context(), client, names.Events)
	must(b, err)
	all, err := table.All(tablesSchema)
	must(b, err)
	tables := map[string]*table.Table{}
	for _, t := range all {
		tables[t.Entity.Name] = t
	}
	d := &decoder{topics: names, tables: tables, schemas: registry.NewDecoder(client)}
	r := (&world{encoder: encoder, kafka: &kafka.Config{Topics: names}}).record(b, new(feed).customer())
	b.SetBytes(int64(len(r.Value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
