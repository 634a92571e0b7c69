// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// checkInterval is how often the claims of all partitions are compared with the
// database's. A batch compares its own; a partition without new records would
// never notice that a crash took the database back, or an older backup.
const checkInterval = 5 * time.Second

// checkTimeout bounds reading the claims: rebalances may wait for it.
const checkTimeout = 5 * time.Second

// check compares all claims with the database, when it is time to, and takes the
// consumer to where the database is. It is called between batches.
func (l *Loop) check(ctx context.Context, client *kgo.Client) error {
	if time.Now().Before(l.nextCheck) {
		return nil
	}
	l.nextCheck = time.Now().Add(checkInterval)
	l.mu.Lock()
	held := maps.Clone(l.claims)
	l.mu.Unlock()
	if len(held) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	current, err := l.store.Claims(bounded, slices.Collect(maps.Keys(held)))
	switch {
	case err == nil:
		l.status()
		return l.follow(ctx, client, held, current)
	case failure.Of(err) == failure.Fatal:
		return err
	case ctx.Err() == nil:
		l.meter.Failed(ctx, progress.Claim, err)
		l.cfg.Status(false, err.Error())
		l.cfg.Log.WarnContext(ctx, "cannot compare the claims with the database", "error", err)
	}
	return nil
}

// follow seeks the partitions whose offset in the database is not the one that
// we left there.
func (l *Loop) follow(ctx context.Context, client *kgo.Client, held, current map[kafka.Partition]Claim) error {
	seek := map[string]map[int32]kgo.EpochOffset{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, ours := range held {
		now, ok := current[p]
		switch {
		case now == ours, l.claims[p] != ours: // a rebalance came between
			continue
		case !ok || now.Epoch != ours.Epoch:
			return takenOver(p, ours, now)
		case now.Next == NeverRead:
			return fmt.Errorf("fenced: the database has no offset of %s any more, and had %d: starting over", p, ours.Next)
		}
		l.cfg.Log.WarnContext(ctx, "database is at another offset under our epoch; going there",
			"partition", p.String(), "expected", ours.Next, "actual", now.Next)
		l.claims[p] = now
		if seek[p.Topic] == nil {
			seek[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		seek[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: now.Next}
	}
	if len(seek) > 0 {
		client.SetOffsets(seek)
	}
	return nil
}

func takenOver(p kafka.Partition, ours, now Claim) error {
	return fmt.Errorf("fenced: another consumer took %s over: our epoch is %d, the database's %d", p, ours.Epoch, now.Epoch)
}
