// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/stage/failure"
)

// How often topics are looked at, how long the answer may take, and in how many looks
// in a row a topic is missing before it counts as deleted: a broker that lags behind
// the others may not know it.
const (
	lookEvery   = 2 * time.Second
	lookTimeout = 4 * time.Second
	missingFor  = 3
)

// OnTopics creates or checks the pipeline's topics and runs work while they stay what
// they are. When one is deleted, or deleted and created again, it ends work's context,
// waits for work, and begins anew: what a client knows of a topic is of no use for
// another of the same name. Status is told of Kafka and of the topics. It returns nil
// when ctx ended and an error only when that is Fatal.
func (c *Config) OnTopics(ctx context.Context, clientID string, log *slog.Logger, status func(ready bool, reason string), work func(context.Context) error) error {
	return Sessions(ctx, log, status, func(ctx context.Context) error {
		client, err := c.topicsClient(clientID, log)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := c.AwaitTopics(ctx, client, log, status); err != nil {
			return err
		}
		topics, err := Look(ctx, client, c.pipeline()...)
		if err != nil {
			return err
		}
		topics.partitions = c.Partitions
		return topics.While(ctx, log, status, work)
	})
}

// topicsClient asks about topics. A client remembers for MetadataMinAge that one is
// missing: 5 s by default, in which those that were just created would not be seen.
func (c *Config) topicsClient(clientID string, log *slog.Logger) (*kgo.Client, error) {
	return c.NewClient(clientID+"-topics", log, kgo.MetadataMinAge(10*time.Millisecond))
}

// TopicIDs asks for the ids of topics, where Kafka gives them any (KIP-516). Another
// client may answer from what it remembers of a topic that is gone.
func (c *Config) TopicIDs(ctx context.Context, clientID string, log *slog.Logger, names ...string) (map[string]string, error) {
	client, err := c.topicsClient(clientID, log)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topics, err := Look(ctx, client, names...)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for name, d := range topics.details {
		if d.ID != (kadm.TopicID{}) {
			ids[name] = d.ID.String()
		}
	}
	return ids, nil
}

// Topics are topics as they were when somebody looked.
type Topics struct {
	admin   *kadm.Client
	details kadm.TopicDetails
	// partitions is how many each should have; 0 is any number.
	partitions int32
	// missing counts the looks in a row in which a topic was not there.
	missing int
}

// Look asks what topics there are. Those that are missing are an error.
func Look(ctx context.Context, client *kgo.Client, names ...string) (*Topics, error) {
	t := &Topics{admin: kadm.NewClient(client)}
	var err error
	if t.details, err = t.list(ctx, names); err != nil {
		return nil, err
	}
	for _, d := range t.details.Sorted() {
		if d.Err != nil {
			return nil, Classify(fmt.Errorf("topic %s: %w", d.Topic, d.Err))
		}
	}
	return t, nil
}

func (t *Topics) list(ctx context.Context, names []string) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	details, err := t.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, Classify(fmt.Errorf("look at the topics: %w", err))
	}
	return details, nil
}

// While runs work until that ends, and ends it when one of the topics is not what it
// was: the error then says which, and what that means.
func (t *Topics) While(ctx context.Context, log *slog.Logger, status func(ready bool, reason string), work func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() error { return t.watch(ctx, log, status) })
	g.Go(func() error {
		defer stop()
		return work(ctx)
	})
	return g.Wait()
}

// watch looks at the topics until ctx ends or one is not what it was.
func (t *Topics) watch(ctx context.Context, log *slog.Logger, status func(ready bool, reason string)) error {
	said := ""
	for failure.Sleep(ctx, lookEvery) == nil {
		ready, reason, err := t.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // ctx ended
		case err != nil:
			return err
		}
		status(ready, reason)
		if reason != "" && reason != said {
			log.WarnContext(ctx, "topics", "ready", ready, "reason", reason)
		}
		said = reason
	}
	return nil
}

// look compares the topics with what they were. An error says that one has changed,
// or is Fatal.
func (t *Topics) look(ctx context.Context) (ready bool, reason string, err error) {
	now, err := t.list(ctx, t.details.Names())
	if failure.Of(err) == failure.Fatal {
		return false, "", err
	}
	if err != nil {
		return false, err.Error(), nil //nolint:nilerr // it may be there in the next look
	}
	var gone, wider []string
	for _, was := range t.details.Sorted() {
		is := now[was.Topic]
		switch {
		case errors.Is(is.Err, kerr.UnknownTopicOrPartition):
			gone = append(gone, was.Topic)
		case is.Err != nil:
			if err := Classify(fmt.Errorf("topic %s: %w", was.Topic, is.Err)); failure.Of(err) == failure.Fatal {
				return false, "", err
			}
		case is.ID != was.ID && is.ID != (kadm.TopicID{}) && was.ID != (kadm.TopicID{}):
			return false, "", fmt.Errorf("topic %s was deleted and created again (id %s, was %s): whatever was in it and not read is lost; going on with the new one", was.Topic, is.ID, was.ID)
		case t.partitions > 0 && len(is.Partitions) > int(t.partitions):
			wider = append(wider, fmt.Sprintf("%s has %d", was.Topic, len(is.Partitions)))
		}
	}
	if len(gone) > 0 {
		return t.gone(gone)
	}
	t.missing = 0
	if len(wider) > 0 {
		return true, fmt.Sprintf("partitions were added: %s, and HOOKSTREAM_PARTITIONS is %d. No key moves while this runs, but the next start is refused: see \"Partitions\" in docs/reliability.md",
			some(wider), t.partitions), nil
	}
	return true, "", nil
}

func (t *Topics) gone(names []string) (ready bool, reason string, err error) {
	reason = fmt.Sprintf("Kafka has no topic %s: it was deleted", some(names))
	if t.missing++; t.missing < missingFor {
		return false, reason, nil
	}
	return false, "", errors.New(reason + ", and whatever was in it and not read is lost; starting over, with a new one")
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(slices.Clone(names[:most]), ", "), len(names)-most)
}
