// SPDX-License-Identifier: Apache-2.0

package journeys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Installation is what journeys went through, and the tools that look into it.
type Installation struct {
	Kafka       kafka.Config
	DatabaseURL string
	// Programs is the folder with hookstream and dlq; Env configures them.
	Programs string
	Env      []string
	Log      *slog.Logger
}

// Run runs a program and gives its exit code and standard output, with what it
// complained of where the code is not 0. Only a program that could not run is an
// error.
func (x *Installation) Run(ctx context.Context, program string, args ...string) (out []byte, code int, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(x.Programs, program), args...)
	cmd.Env = x.Env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return nil, 0, fmt.Errorf("%s %q: %w\n%s", program, args, err, stderr.String())
	}
	if code = cmd.ProcessState.ExitCode(); code != 0 {
		out = append(out, stderr.String()...)
	}
	return out, code, nil
}

// Trace is what hookstream trace says of an event.
func (x *Installation) Trace(ctx context.Context, by, id string) (*Journey, error) {
	out, code, err := x.Run(ctx, "hookstream", "trace", id, "--by", by, "-o", "json")
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("trace %s: exit code %d\n%s", id, code, out)
	}
	var report struct {
		Events  []*Journey `json:"events"`
		Unknown []string   `json:"unknown"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("trace %s: %w", id, err)
	}
	if len(report.Events) != 1 || len(report.Unknown) > 0 {
		return nil, fmt.Errorf("trace %s: %d events, want 1; unknown: %q", id, len(report.Events), report.Unknown)
	}
	return report.Events[0], nil
}

// letters are the dead letters that dlq list selects, as the ids of their events.
func (x *Installation) letters(ctx context.Context, args ...string) ([]string, error) {
	out, code, err := x.Run(ctx, "dlq", append([]string{"list", "--limit", "0", "-o", "json"}, args...)...)
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("dlq list %q: exit code %d\n%s", args, code, out)
	}
	var ids []string
	for line := range bytes.Lines(out) {
		var l struct {
			EventID string `json:"event_id"`
		}
		if json.Unmarshal(line, &l) == nil && l.EventID != "" && !slices.Contains(ids, l.EventID) {
			ids = append(ids, l.EventID)
		}
	}
	return ids, nil
}

// query gives the results of a query with one column.
func (x *Installation) query(ctx context.Context, sql string, args ...any) ([]string, error) {
	conn, err := pgx.Connect(ctx, x.DatabaseURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// delivered counts the raw records of each event.
func (x *Installation) delivered(ctx context.Context) (map[string]int, error) {
	n := map[string]int{}
	err := x.Kafka.ReadToEnd(ctx, "hookstream-journeys", x.Log, kafka.Partitions{x.Kafka.Topics.Raw: nil}, func(r *kgo.Record) error {
		if _, again := header.List(r.Headers).Get(header.ReplayID); again {
			return nil
		}
		if w, err := record.ParseWebhook(r); err == nil {
			n[w.EventID]++
		}
		return nil
	})
	return n, err
}
