// SPDX-License-Identifier: Apache-2.0

// Package broker runs franz-go's kfake as the embedded Kafka. It speaks Kafka's
// protocol, transactions included, and is for development and tests: it has one
// broker, no replication, and after SIGKILL no markers for what it aborted.
package broker

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// retentionInterval is how often old records are deleted; kfake leaves it to
// its user.
const retentionInterval = time.Minute

// Broker is a running embedded broker.
type Broker struct {
	cluster *kfake.Cluster
	stop    chan struct{}
	stopped chan struct{}
}

// Start listens on the loopback interface, on port or, when that is 0 or taken,
// on a free one. With a data directory the records survive a restart and stay
// out of memory; without one they live in memory.
func Start(dataDir string, port int) (*Broker, error) {
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(usablePort(port))}
	if dataDir != "" {
		opts = append(opts, kfake.DataDir(dataDir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	b := &Broker{cluster: cluster, stop: make(chan struct{}), stopped: make(chan struct{})}
	go b.retain()
	return b, nil
}

func usablePort(port int) int {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // closed at once
	if err != nil {
		return 0
	}
	_ = ln.Close()
	return port
}

func (b *Broker) retain() {
	defer close(b.stopped)
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ticker.C:
			b.cluster.ApplyRetention()
		}
	}
}

// Addresses are the bootstrap brokers.
func (b *Broker) Addresses() []string { return b.cluster.ListenAddrs() }

// Close stops the broker and writes what a restart needs.
func (b *Broker) Close() {
	close(b.stop)
	<-b.stopped
	b.cluster.Close()
}
