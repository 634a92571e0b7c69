// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// watcher sees rows appear as another user of the database does. The sink's
// offsets move in the transaction that writes the rows, so that asking for these
// few, again and again, tells when each event could be read, commit included.
type watcher struct {
	conn  *pgx.Conn
	group string
	every time.Duration
	seen  map[partition][]step
}

type partition struct {
	topic  string
	number int32
}

// step is an offset before which everything was visible at a time.
type step struct {
	next int64
	at   time.Time
}

func newWatcher(ctx context.Context, url, group string, every time.Duration) (*watcher, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return &watcher{conn: conn, group: group, every: every, seen: map[partition][]step{}}, nil
}

// watch looks until ctx ends.
func (w *watcher) watch(ctx context.Context) error {
	for {
		if err := w.look(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("look for rows: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.every):
		}
	}
}

func (w *watcher) look(ctx context.Context) error {
	rows, err := w.conn.Query(ctx, "SELECT topic, partition, next_offset FROM hookstream.consumer_offsets WHERE consumer_group = $1", w.group)
	if err != nil {
		return err
	}
	var p partition
	var next int64
	_, err = pgx.ForEachRow(rows, []any{&p.topic, &p.number, &next}, func() error {
		steps := w.seen[p]
		if len(steps) == 0 || steps[len(steps)-1].next != next {
			w.seen[p] = append(steps, step{next, time.Now()})
		}
		return nil
	})
	return err
}

// visible is when the record at an offset was first seen to be applied.
func (w *watcher) visible(p partition, offset int64) (time.Time, bool) {
	steps := w.seen[p]
	i, _ := slices.BinarySearchFunc(steps, offset, func(s step, offset int64) int { return int(s.next - offset - 1) })
	if i == len(steps) {
		return time.Time{}, false
	}
	return steps[i].at, true
}

// arrival of an event in the database.
type arrival struct {
	eventID string
	at      time.Time
}

// arrivals are when the events of a prefix became visible.
func (w *watcher) arrivals(ctx context.Context, prefix string) ([]arrival, error) {
	rows, err := w.conn.Query(ctx, "SELECT event_id, event_topic, event_partition, event_offset FROM hookstream.ledger WHERE starts_with(event_id, $1)", prefix)
	if err != nil {
		return nil, err
	}
	var out []arrival
	var id string
	var p partition
	var offset int64
	_, err = pgx.ForEachRow(rows, []any{&id, &p.topic, &p.number, &offset}, func() error {
		at, ok := w.visible(p, offset)
		if !ok {
			return fmt.Errorf("%s is in the database, but its offset %d of %s/%d was not seen", id, offset, p.topic, p.number)
		}
		out = append(out, arrival{id, at})
		return nil
	})
	return out, err
}

// count of the events of a prefix.
func (w *watcher) count(ctx context.Context, prefix string) (n int, err error) {
	err = w.conn.QueryRow(ctx, "SELECT count(*) FROM hookstream.ledger WHERE starts_with(event_id, $1)", prefix).Scan(&n)
	return n, err
}
