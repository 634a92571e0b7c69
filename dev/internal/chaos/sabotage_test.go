// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/stage/crash"
)

// TestDeliberateBugsAreCaught runs the services with a mistake in them and
// expects the checker to say so. The faults are those that lay it bare.
func TestDeliberateBugsAreCaught(t *testing.T) {
	if os.Getenv("HOOKSTREAM_TEST_CHAOS") == "" {
		t.Skip("starts an Apache Kafka of its own, for minutes: runs with make test-chaos")
	}
	bugs := map[crash.Bug]struct {
		faults []Fault
		seen   func(*Report) int
	}{
		crash.OffsetsBeforeWrite: {
			repeat(6, Fault{Kind: crashPoint, Target: "sink", Point: crash.BeforeCommit, Pass: 3}),
			func(r *Report) int { return r.Lost },
		},
		crash.NoEpochCheck: {
			repeat(8, Fault{Kind: pauseProcess, Target: "sink"}),
			func(r *Report) int { return r.ZombieWrite },
		},
		crash.StateBeforeCommit: {
			repeat(10, Fault{Kind: scale, Target: "transform"}),
			func(r *Report) int { return r.Lost },
		},
		crash.PassHeldKeys: {
			[]Fault{{Kind: breakDefinition, Target: "transform"}, {Kind: mendDefinition, Target: "transform"}},
			func(r *Report) int { return r.Reordered },
		},
	}
	for bug, c := range bugs {
		t.Run(string(bug), func(t *testing.T) {
			report, err := Run(t.Context(), Options{
				Seed: 1, Faults: c.faults, Events: 1000, Rate: 300, Brokers: 1, Outage: 2 * time.Second, Sabotage: bug,
				Root: "../../..", Dir: stacktest.PublicDir(t), Log: slog.New(slog.DiscardHandler),
				Progress: func(s string) { t.Log(s) },
			})
			if errors.Is(err, jvm.ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if report.OK() || c.seen(report) == 0 {
				t.Errorf("%s went unnoticed: %+v, %+v", bug, report, report.Report)
			}
		})
	}
}

// repeat is the fault n times, on the instances in turn.
func repeat(n int, f Fault) []Fault {
	var list []Fault
	for i := range n {
		f.Instance = i % sizes[f.Target]
		list = append(list, f)
	}
	return list
}

func TestScheduleIsReproducible(t *testing.T) {
	a, b := Schedule(7, 100, 3), Schedule(7, 100, 3)
	kills := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("fault %d is %v, then %v", i, a[i], b[i])
		}
		if a[i].kills() {
			kills++
		}
	}
	if kills != 100 {
		t.Errorf("%d faults kill, want 100", kills)
	}
	if c := Schedule(8, 100, 3); len(c) == len(a) && c[0] == a[0] && c[1] == a[1] && c[2] == a[2] {
		t.Error("another seed draws the same faults")
	}
}
