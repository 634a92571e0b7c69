// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/stage/terminal"
)

// Service answers operators at URL.
type Service struct{ Name, URL string }

// waits are since when each service waits for each thing. A service's own times
// begin anew with each error.
type waits map[string]time.Time

// readiness is what /readyz answers.
type readiness struct {
	Parts map[string]struct {
		Ready  bool
		Reason string
	}
}

const maxReadyBytes = 64 << 10

// causes are what parts wait for, what others wait for because of it first. Of
// other parts the reason says it.
var causes = []struct{ part, what string }{
	{"database", "waiting for Postgres"}, {"kafka", "waiting for Kafka"}, {"topics", "waiting for Kafka"}, {"schemas", "waiting for the schema registry"},
}

// trouble is what the first service that is not ready waits for, how long, and how
// many records with it. Where all are ready, it is what is wrong with one that goes
// on all the same: a changed definition that was refused, say.
func (o *Observer) trouble(ctx context.Context, behind Lag) (t Trouble) {
	for _, s := range o.Services {
		what, why := s.waitsFor(ctx)
		if what == "" {
			o.waits.forget(s.Name)
			if t.What == "" && why != "" {
				t = Trouble{s.Name, why}
			}
			continue
		}
		text := fmt.Sprintf("%s: %s %s", s.Name, what, o.waits.since(s.Name+" "+what))
		if n := map[string]int64{"transform": behind.Transform, "sink": behind.Sink}[s.Name]; n > 0 {
			text += fmt.Sprintf(", %s records", count(float64(n)))
		}
		return Trouble{text, why}
	}
	return t
}

// Waits is what a service waits for, in words.
func (s Service) Waits(ctx context.Context) string {
	what, why := s.waitsFor(ctx)
	if why != "" {
		what += ": " + why
	}
	return s.Name + ": " + what
}

// since is how long a wait has lasted.
func (w waits) since(wait string) time.Duration {
	if w[wait].IsZero() {
		w[wait] = time.Now()
	}
	return time.Since(w[wait]).Truncate(time.Second)
}

func (w waits) forget(service string) {
	for wait := range w {
		if strings.HasPrefix(wait, service+" ") {
			delete(w, wait)
		}
	}
}

// waitsFor is what a service that is not ready waits for, and why, unless that is
// the same. Of one that is ready it is only why it could do better.
func (s Service) waitsFor(ctx context.Context) (what, why string) {
	answer, err := s.ask(ctx)
	if err != nil {
		return "does not answer", ""
	}
	for _, c := range causes {
		if p, known := answer.Parts[c.part]; known && !p.Ready {
			return c.what, ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answer.Parts)) {
		p := answer.Parts[name]
		switch begin := held.FindString(p.Reason); {
		case p.Ready && why == "":
			why = terminal.Clean(p.Reason)
		case p.Ready:
		case begin != "":
			return "holding", terminal.Clean(p.Reason[len(begin):])
		default:
			return "waiting", terminal.Clean(p.Reason)
		}
	}
	return "", why
}

// held begins the reason where a breaker is open (kafka.Waiting).
var held = regexp.MustCompile(`^\d+ partitions wait: `)

func (s Service) ask(ctx context.Context) (*readiness, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var r readiness
	return &r, json.NewDecoder(io.LimitReader(res.Body, maxReadyBytes)).Decode(&r)
}
