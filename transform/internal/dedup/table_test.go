// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// hashed is a fingerprint as they really are.
func hashed(n uint64) (f identity.Fingerprint) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	copy(f[:], sum[:])
	return f
}

// TestTableIsAMap compares with a map. The fingerprints are chosen to collide in
// their first bits, which decide where they go.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got table
		want := map[identity.Fingerprint]identity.Mark{}
		prefix := rapid.SampledFrom([][]byte{{0}, {0, 0, 0, 0, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x80}}).Draw(t, "prefix")
		for range rapid.IntRange(0, 400).Draw(t, "puts") {
			f := hashed(rapid.Uint64Range(0, 300).Draw(t, "f"))
			copy(f[:], prefix)
			if rapid.IntRange(0, 20).Draw(t, "edge") == 0 {
				f = identity.Fingerprint{}
				f[15] = rapid.SampledFrom([]byte{0, 1, 0xff}).Draw(t, "last")
			}
			m := identity.Mark{rapid.Byte().Draw(t, "mark")}
			_, known := want[f]
			if isNew := got.put(f, m); isNew == known {
				t.Fatalf("put %x says new %v", f, isNew)
			}
			want[f] = m
		}
		if got.len() != len(want) || !maps.Equal(maps.Collect(got.all()), want) {
			t.Fatalf("%d entries, want %d", got.len(), len(want))
		}
		for f, m := range want {
			if v, ok := got.get(f); !ok || v != m {
				t.Fatalf("%x is %v %v, want %v", f, v, ok, m)
			}
			f[15]++
			if _, ok := got.get(f); ok != has(want, f) {
				t.Fatalf("%x is there: %v", f, ok)
			}
		}
	})
}

func has(m map[identity.Fingerprint]identity.Mark, f identity.Fingerprint) bool {
	_, ok := m[f]
	return ok
}

// TestTableStaysSmall holds the promise of HOOKSTREAM_DEDUP_MAX_ENTRIES.
func TestTableStaysSmall(t *testing.T) {
	var tab table
	for n := range uint64(200_000) {
		tab.put(hashed(n), identity.Mark{})
		if n > 1000 && tab.bytes() > 30*tab.len() {
			t.Fatalf("%d entries take %d bytes, more than 30 each", tab.len(), tab.bytes())
		}
	}
}

// sizes are those of the sets that benchmarks work on.
func sizes() []uint64 {
	if testing.Short() {
		return []uint64{10_000, 100_000}
	}
	return []uint64{10_000, 100_000, 1_000_000, 10_000_000}
}

func BenchmarkTableLookup(b *testing.B) {
	for _, entries := range sizes() {
		var tab table
		fill := sync.OnceFunc(func() {
			for n := range entries {
				tab.put(hashed(n), identity.Mark{})
			}
		})
		runtest.Rounds(b, fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			fill()
			asked := make([]identity.Fingerprint, 1<<20) // hashing them is no part of a lookup
			for i := range asked {
				asked[i] = hashed(rand.Uint64N(2 * entries)) // half of them are there
			}
			n := 0
			for b.Loop() {
				tab.get(asked[n%len(asked)])
				n++
			}
			b.ReportMetric(float64(tab.bytes())/float64(entries), "bytes/entry")
		})
	}
}

// BenchmarkRestore is from the changelog's bytes to the set: as many entries as
// there can be, over the buckets of a window, in records of 5,000.
func BenchmarkRestore(b *testing.B) {
	const each = 5000
	entries := slices.Max(sizes())
	p := kafka.Partition{Topic: "raw"}
	now := time.UnixMilli(1_700_000_000_000)
	var changelog []*kgo.Record
	packed := make([]record.DedupEntry, each)
	for from := uint64(0); from < entries; from += each {
		for i := range packed {
			packed[i].Fingerprint = hashed(from + uint64(i))
		}
		age := window - window/time.Duration(entries)*time.Duration(from)
		changelog = append(changelog, record.DedupRecord("dedup", p.Topic, p.Partition, now.Add(-age), packed))
	}
	s, err := New(Config{Topic: "dedup", Window: window, MaxMessageBytes: 1 << 20, Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l := s.newLoader([]kafka.Partition{p})
		for _, r := range changelog {
			if err := l.add(r); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.use(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mentries/s")
}

// BenchmarkRestoreFromKafka is the whole way of a restore, from the assignment to
// the set in use, with the broker in this process.
func BenchmarkRestoreFromKafka(b *testing.B) {
	for _, entries := range sizes() {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) { benchRestore(b, entries) })
	}
}

func benchRestore(b *testing.B, entries uint64) {
	const each = 5000
	world := newBroker(b)
	p := kafka.Partition{Topic: "raw"}
	cl, err := world.cfg.NewClient("fill", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	packed := make([]record.DedupEntry, each)
	for from := uint64(0); from < entries; from += each {
		for i := range packed {
			packed[i].Fingerprint = hashed(from + uint64(i))
		}
		age := window - window/time.Duration(entries)*time.Duration(from)
		r := record.DedupRecord(world.changelog, p.Topic, p.Partition, time.Now().Add(-age), packed)
		if err := cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s, err := New(Config{Topic: world.changelog, Window: window, MaxMessageBytes: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Restore(b.Context(), world.cfg, "restore", slog.New(slog.DiscardHandler), []kafka.Partition{p}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "bytes/entry")
	}
	took := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(took, "seconds")
	b.ReportMetric(float64(entries)/took/1e6, "Mentries/s")
}
