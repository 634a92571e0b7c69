// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/failure"
)

// EnsureTopics is AwaitTopics for who has nobody to tell.
func (c *Config) EnsureTopics(ctx context.Context, cl *kgo.Client, log *slog.Logger) error {
	return c.AwaitTopics(ctx, cl, log, func(bool, string) {})
}

// AwaitTopics creates the pipeline's topics where they are missing and checks
// them where they exist. A mismatch that would break a promise is Fatal and
// says what to run; nothing that exists is changed. It waits for Kafka, and tells
// status for what it waits, and when the topics are as they must be.
func (c *Config) AwaitTopics(ctx context.Context, cl *kgo.Client, log *slog.Logger, status func(ready bool, reason string)) error {
	status(false, waitingForKafka)
	if err := ping(ctx, cl, log, status); err != nil {
		return err
	}
	status(false, waitingForTopics)
	fresh, err := c.topicsClient("hookstream", log)
	if err != nil {
		return err
	}
	defer fresh.Close()
	specs := c.Topics.Pipeline(event.Names(), c.Sizing())
	err = failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return c.ensure(ctx, kadm.NewClient(fresh), specs)
	}, func(failures int, _ time.Duration, err error) {
		status(false, waitingForTopics+": "+err.Error())
		log.WarnContext(ctx, "cannot create or check topics yet", "attempt", failures, "error", err)
	})
	if err == nil {
		status(true, "")
	}
	return err
}

// What AwaitTopics waits for.
const (
	waitingForKafka  = "waiting for Kafka"
	waitingForTopics = "waiting for its topics to be checked or created"
)

// pipeline names the pipeline's topics.
func (c *Config) pipeline() []string {
	var names []string
	for _, s := range c.Topics.Pipeline(event.Names(), c.Sizing()) {
		names = append(names, s.Name)
	}
	return names
}

func (c *Config) ensure(ctx context.Context, admin *kadm.Client, specs []topic.Spec) error {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	existing, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return Classify(fmt.Errorf("list topics: %w", err))
	}
	for _, s := range specs {
		if existing.Has(s.Name) {
			continue
		}
		if err := c.create(ctx, admin, s); err != nil {
			return err
		}
	}
	return check(ctx, admin, specs)
}

func (c *Config) create(ctx context.Context, admin *kadm.Client, s topic.Spec) error {
	configs := map[string]*string{}
	for k, v := range s.Config {
		configs[k] = &v
	}
	_, err := admin.CreateTopic(ctx, s.Partitions, c.Replication, configs, s.Name)
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
		return nil // another instance may have been faster; check compares the result
	}
	return Classify(fmt.Errorf("create topic %s: %w", s.Name, err))
}

// check compares what is on the broker with what the promises need.
func check(ctx context.Context, admin *kadm.Client, specs []topic.Spec) error {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	topics, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return Classify(fmt.Errorf("list topics: %w", err))
	}
	configs, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return Classify(fmt.Errorf("describe topics: %w", err))
	}
	var errs []error
	for _, s := range specs {
		t := topics[s.Name]
		if t.Err != nil {
			return fmt.Errorf("kafka: topic %s is not ready: %w", s.Name, t.Err)
		}
		if n := len(t.Partitions); n != int(s.Partitions) {
			errs = append(errs, failure.NewFatal("topic %s has %d partitions and HOOKSTREAM_PARTITIONS is %d: every service must have the number that the topic was created with; if partitions were added since, see \"Partitions\" in docs/reliability.md", s.Name, n, s.Partitions))
		}
		errs = append(errs, checkConfig(s, configs))
	}
	return errors.Join(errs...)
}

func checkConfig(s topic.Spec, all kadm.ResourceConfigs) error {
	rc, err := all.On(s.Name, nil)
	if err != nil || rc.Err != nil {
		return fmt.Errorf("kafka: configuration of topic %s: %w", s.Name, errors.Join(err, rc.Err))
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(s.Config)) {
		want := s.Config[key]
		for _, have := range rc.Configs {
			if have.Key == key && have.Value != nil && !satisfies(key, *have.Value, want) {
				errs = append(errs, failure.NewFatal("topic %s has %s=%s, needs %s: kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s, or change the setting",
					s.Name, key, *have.Value, want, s.Name, key, want))
			}
		}
	}
	return errors.Join(errs...)
}

// satisfies compares a configuration. Keeping longer and allowing larger
// records than asked breaks nothing; -1 is without limit.
func satisfies(key, have, want string) bool {
	if key == "cleanup.policy" {
		return have == want
	}
	h, errHave := strconv.ParseInt(have, 10, 64)
	w, errWant := strconv.ParseInt(want, 10, 64)
	if errHave != nil || errWant != nil {
		return have == want
	}
	return h == -1 || (w != -1 && h >= w)
}
