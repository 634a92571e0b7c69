// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/hookstream/hookstream/stage/crash"
)

// kind is what a fault does.
type kind string

const (
	killProcess     kind = "kill"             // SIGKILL at a random time
	crashPoint      kind = "crash-point"      // SIGKILL at a named point
	killBroker      kind = "kill-broker"      // SIGKILL one of several brokers, start it again
	crashReplay     kind = "crash-replay"     // SIGKILL the operators' tool in a replay
	pauseProcess    kind = "pause"            // SIGSTOP for longer than the session timeout
	scale           kind = "scale"            // one instance less, then more
	restartPostgres kind = "restart-postgres" // stop it for a while
	cutLink         kind = "cut"              // cut a connection for a while
	slowLink        kind = "slow"             // slow a connection for a while
	breakDefinition kind = "break-definition" // put one that fails for a type in force
	mendDefinition  kind = "mend-definition"  // put it right, and SIGKILL at a named point of the release
)

// Fault is one entry of the schedule.
type Fault struct {
	Kind kind `json:"kind"`
	// Target is a role or a part.
	Target string `json:"target"`
	// Instance of the role.
	Instance int `json:"instance"`
	// Point and Pass arm a crash point.
	Point crash.Point `json:"point,omitempty"`
	Pass  int         `json:"pass,omitempty"`
}

// String describes the fault in a line.
func (f Fault) String() string {
	if f.Point != "" {
		return fmt.Sprintf("%s %s-%d at %s, pass %d", f.Kind, f.Target, f.Instance, f.Point, f.Pass)
	}
	return fmt.Sprintf("%s %s-%d", f.Kind, f.Target, f.Instance)
}

// kills reports whether the fault kills a process.
func (f Fault) kills() bool {
	return f.Kind == killProcess || f.Kind == crashPoint || f.Kind == killBroker || f.Kind == crashReplay || f.Kind == mendDefinition && f.Point != ""
}

// Named are faults of the parts, by kind; nil where there are no names.
func Named(kinds []string) []Fault {
	var faults []Fault
	for _, k := range kinds {
		if kind(k) == breakDefinition {
			faults = append(faults, brokenDefinitions()...)
			continue
		}
		faults = append(faults, Fault{Kind: kind(k), Target: map[kind]string{killBroker: "kafka", restartPostgres: "postgres"}[kind(k)]})
	}
	return faults
}

// brokenDefinitions breaks a definition and mends it again, over and over, with
// other faults while its records are held, and one in each release.
func brokenDefinitions() []Fault {
	var faults []Fault
	for i, p := range []struct {
		crash.Point
		pass int
	}{
		{crash.BeforeRelease, 1}, {crash.AfterProduce, 2}, {crash.BeforeEnd, 2}, {crash.AfterEnd, 2}, {crash.AfterRelease, 1}, {crash.InHeldRestore, 5},
	} {
		one, other := i%sizes["transform"], (i+1)%sizes["transform"]
		faults = append(faults, Fault{Kind: breakDefinition, Target: "transform"},
			Fault{Kind: killProcess, Target: "transform", Instance: one},
			Fault{Kind: pauseProcess, Target: "transform", Instance: other},
			Fault{Kind: mendDefinition, Target: "transform", Instance: one, Point: p.Point, Pass: p.pass})
	}
	return faults
}

var points = []crash.Point{
	crash.BeforeRawProduce, crash.AfterRawProduce,
	crash.BeforeProduce, crash.AfterProduce, crash.BeforeEnd, crash.AfterEnd,
	crash.InRestore, crash.OnAssigned, crash.OnRevoked,
	crash.OnTakeOver, crash.BeforeDeadLetters, crash.BeforeCommit, crash.AfterCommit, crash.BeforeOffsetCommit,
}

var replayPoints = []crash.Point{crash.InReplay, crash.BeforeReplayEnd, crash.AfterReplayEnd}

// roleOf is the service that passes a point.
func roleOf(p crash.Point) string {
	prefix, _, _ := strings.Cut(string(p), ".")
	if prefix == "transact" {
		return "transform"
	}
	return prefix
}

// Schedule draws faults from a seed until so many of them kill. Every third
// fault or so does not kill.
func Schedule(seed uint64, kills, brokers int) []Fault {
	rng := rand.New(rand.NewPCG(seed, 0xC4A05))
	var faults []Fault
	for n := 0; n < kills; {
		f := draw(rng, brokers)
		if f.kills() {
			n++
		}
		faults = append(faults, f)
	}
	return faults
}

// linkNames are the links of an installation.
func linkNames(brokers int) []string {
	names := []string{"postgres", "registry"}
	for i := range brokers {
		names = append(names, fmt.Sprintf("kafka-%d", i))
	}
	return names
}

func draw(rng *rand.Rand, brokers int) Fault {
	roles := []string{"transform", "transform", "sink", "sink", "ingest"}
	f := Fault{Target: roles[rng.IntN(len(roles))]}
	switch n := rng.IntN(100); {
	case n < 28:
		f.Kind = killProcess
	case n < 63:
		f.Kind, f.Point = crashPoint, points[rng.IntN(len(points))]
		f.Target, f.Pass = roleOf(f.Point), 1+rng.IntN(4)
	case n < 68:
		// A single broker is left alone: Kafka itself loses markers of
		// transactions over its restart (docs/reliability.md).
		if brokers == 1 {
			f.Kind = killProcess
			break
		}
		f.Kind, f.Target, f.Instance = killBroker, "kafka", rng.IntN(brokers)
		return f
	case n < 72:
		f.Kind, f.Target, f.Point, f.Pass = crashReplay, "dlq", replayPoints[rng.IntN(len(replayPoints))], 1+rng.IntN(2)
		return f
	case n < 80:
		f.Kind, f.Target = pauseProcess, []string{"transform", "sink"}[rng.IntN(2)]
	case n < 86:
		f.Kind = scale
	case n < 89:
		f.Kind, f.Target = restartPostgres, "postgres"
		return f
	case n < 95:
		f.Kind, f.Target = cutLink, linkNames(brokers)[rng.IntN(2+brokers)]
		return f
	default:
		f.Kind, f.Target = slowLink, linkNames(brokers)[rng.IntN(2+brokers)]
		return f
	}
	f.Instance = rng.IntN(sizes[f.Target])
	return f
}
