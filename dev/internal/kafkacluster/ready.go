// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollInterval   = 50 * time.Millisecond
	attemptTimeout = 5 * time.Second
	probe          = "hookstream-ready" // a group and a transactional id that nobody uses
)

// awaitReady polls until each of the brokers knows all of them, and groups and
// transactions have coordinators that answer. It gives up when one has ended.
func (l *launcher) awaitReady(ctx context.Context, brokers []broker) error {
	client, err := newClient(layout{Brokers: brokers}.addresses())
	if err != nil {
		return err
	}
	defer client.Close()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := ready(ctx, client, brokers)
		if err == nil {
			return nil
		}
		for _, b := range brokers {
			if running, lockErr := runs(b.dir(l.DataDir)); !running {
				return l.explain(b, errors.Join(errors.New("ended while it started"), lockErr))
			}
		}
		select {
		case <-ctx.Done():
			return l.explain(brokers[0], fmt.Errorf("not ready: %w; last answer: %w", context.Cause(ctx), err))
		case <-poll.C:
		}
	}
}

// newClient makes a client that reports at once that a broker does not answer;
// the callers poll.
func newClient(addresses []string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(addresses...), kgo.RequestRetries(0),
		kgo.MetadataMinAge(pollInterval), kgo.RetryTimeout(attemptTimeout))
}

func ready(ctx context.Context, client *kgo.Client, brokers []broker) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	for i, seed := range client.SeedBrokers() {
		if err := knowsAll(ctx, seed, brokers); err != nil {
			return fmt.Errorf("%s: %w", brokers[i].address(), err)
		}
	}
	return coordinated(ctx, kadm.NewClient(client))
}

// knowsAll asks this very broker: any other may list one that was killed.
func knowsAll(ctx context.Context, seed *kgo.Broker, brokers []broker) error {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{} // none; nil would be all
	response, err := request.RequestWith(ctx, seed)
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, b := range response.Brokers {
		known[int(b.NodeID)] = true
	}
	for _, b := range brokers {
		if !known[b.ID] {
			return fmt.Errorf("does not know broker %d yet", b.ID)
		}
	}
	return nil
}

// coordinated fails while a coordinator is absent or loads its partition.
// Asking creates the topics that they work on.
func coordinated(ctx context.Context, admin *kadm.Client) error {
	groups, err := admin.DescribeGroups(ctx, probe)
	if err == nil {
		err = groups.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("group coordinator: %w", err)
	}
	transactions, err := admin.DescribeTransactions(ctx, probe)
	if err == nil {
		var described kadm.DescribedTransaction
		if described, err = transactions.On(probe, nil); err == nil {
			err = described.Err
		}
	}
	if err != nil && !errors.Is(err, kerr.TransactionalIDNotFound) {
		return fmt.Errorf("transaction coordinator: %w", err)
	}
	return nil
}

// inSync fails unless every partition's replicas are all in sync.
func inSync(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	metadata, err := admin.Metadata(ctx)
	if err != nil {
		return err
	}
	for _, topic := range metadata.Topics {
		if topic.Err != nil {
			return fmt.Errorf("topic %s: %w", topic.Topic, topic.Err)
		}
		for _, p := range topic.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				return fmt.Errorf("partition %s/%d has %d of %d replicas in sync", p.Topic, p.Partition, len(p.ISR), len(p.Replicas))
			}
		}
	}
	return nil
}
