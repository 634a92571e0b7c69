// SPDX-License-Identifier: Apache-2.0

// Package kafkacluster runs Apache Kafka from its Maven artifacts, for
// development and tests: one broker or three in KRaft combined mode, one JVM
// each, on the loopback interface. The brokers can be killed, paused and
// restarted one by one.
package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/dev/internal/ports"
)

const (
	startTimeout = 2 * time.Minute  // without the fetch; three JVMs on two busy cores
	stopGrace    = 10 * time.Second // for an orderly end; Kafka recovers from the other kind
)

// Cluster is a running Kafka cluster. It is safe for concurrent use, but one
// broker should be the business of one goroutine.
type Cluster struct {
	launcher *launcher
	nodes    []*node

	over    chan struct{} // closed with err set
	overSet sync.Once
	err     error
}

// node is one broker's place in a cluster; the process changes with restarts.
type node struct {
	broker broker

	mu      sync.Mutex
	process *jvm.Process
	asked   bool // the process was told to end
}

// Start returns a cluster whose brokers know each other and coordinate groups
// and transactions: after some 5 s, and the time to fetch Kafka (45 MB) when the
// cache lacks it. ctx limits the start, not the cluster's life: that ends with
// Stop, or when this process dies, in any way; the data stays.
//
// Start returns jvm.ErrMissing where Java 17 or Maven is not installed. If a
// broker does not start, the error has its last messages.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	return c, nil
}

func start(ctx context.Context, o Options) (*Cluster, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	l, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	lock, err := jvm.Lock(ctx, lockFile(o.DataDir))
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	if err := awaitIdle(ctx, o.DataDir); err != nil {
		return nil, err
	}
	if l.layout, err = layOut(o); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	c := &Cluster{launcher: l, over: make(chan struct{})}
	for _, b := range l.layout.Brokers {
		c.nodes = append(c.nodes, &node{broker: b})
	}
	if err := c.startAll(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		return nil, errors.Join(err, c.Stop(stopCtx))
	}
	return c, nil
}

func (c *Cluster) startAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, n := range c.nodes {
		if err := c.startNode(ctx, n); err != nil {
			return err
		}
	}
	return c.launcher.awaitReady(ctx, c.launcher.layout.Brokers)
}

func (c *Cluster) startNode(ctx context.Context, n *node) error {
	process, err := c.launcher.start(ctx, n.broker, false)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.process, n.asked = process, false
	n.mu.Unlock()
	go c.watch(n, process)
	return nil
}

// watch ends the cluster when a broker ends that nobody told to.
func (c *Cluster) watch(n *node, process *jvm.Process) {
	<-process.Done()
	n.mu.Lock()
	asked := n.asked
	n.mu.Unlock()
	if asked {
		return
	}
	err := c.launcher.explain(n.broker, fmt.Errorf("ended by itself: %w", endOf(process)))
	c.launcher.Log.Error("Kafka broker ended", "broker", n.broker.ID, "error", err)
	c.finish(err)
}

func endOf(process *jvm.Process) error {
	if err := process.Err(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

func (c *Cluster) finish(err error) {
	c.overSet.Do(func() {
		c.err = err
		close(c.over)
	})
}

// Addresses are where clients reach the brokers, in the order of their numbers.
func (c *Cluster) Addresses() []string { return c.launcher.layout.addresses() }

// Route is where a proxy has to stand between clients and a broker.
type Route struct {
	Listen   string // what the brokers tell proxied clients to call
	Upstream string // where to forward to
}

// Routes are for a fault test that has a proxy for each broker: clients whose
// seed addresses are the Listen ones then never bypass the proxies.
func (c *Cluster) Routes() []Route {
	var routes []Route
	for _, n := range c.nodes {
		routes = append(routes, Route{Listen: ports.Address(n.broker.Proxy), Upstream: ports.Address(n.broker.Proxied)})
	}
	return routes
}

// Done is closed when Stop has ended the cluster, or when a broker has ended
// that nobody stopped or killed. Err then says which.
func (c *Cluster) Done() <-chan struct{} { return c.over }

// Err is nil before Done is closed and after an orderly Stop.
func (c *Cluster) Err() error {
	select {
	case <-c.over:
		return c.err
	default:
		return nil
	}
}

// Stop ends the brokers that still run and keeps the data. A broker that takes
// longer than 10 s, or than ctx, is killed: Kafka recovers from that.
func (c *Cluster) Stop(ctx context.Context) error {
	for _, n := range c.nodes {
		n.ask()
	}
	err := stopAll(ctx, c.launcher.DataDir, c.launcher.layout.Brokers)
	c.finish(err)
	return err
}

// ask marks the node's process as told to end, and returns it; nil if none was
// started.
func (n *node) ask() *jvm.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = true
	return n.process
}

// Kill ends broker i (from 0) with SIGKILL, as a crash would, and returns when
// it is gone.
func (c *Cluster) Kill(i int) error {
	process := c.nodes[i].ask()
	if err := process.Signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill broker %d: %w", c.nodes[i].broker.ID, err)
	}
	<-process.Done()
	return nil
}

// Pause freezes broker i (from 0) with SIGSTOP: its connections stay open and
// answer nothing.
func (c *Cluster) Pause(i int) error { return c.signal(i, syscall.SIGSTOP) }

// Resume lets a paused broker go on.
func (c *Cluster) Resume(i int) error { return c.signal(i, syscall.SIGCONT) }

func (c *Cluster) signal(i int, signal syscall.Signal) error {
	n := c.nodes[i]
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.process.Signal(signal); err != nil {
		return fmt.Errorf("%v to broker %d: %w", signal, n.broker.ID, err)
	}
	return nil
}

// Restart starts broker i (from 0) on the same data and address, after it has
// stopped it in order if it runs. It returns when the broker is back among those
// that run; its replicas may still have to catch up (AwaitInSync).
func (c *Cluster) Restart(ctx context.Context, i int) error {
	n := c.nodes[i]
	n.ask()
	if err := jvm.StopIn(ctx, n.broker.dir(c.launcher.DataDir), stopGrace); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.startNode(ctx, n); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	alive, err := c.launcher.layout.alive(c.launcher.DataDir)
	if err == nil {
		err = c.launcher.awaitReady(ctx, alive)
	}
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return nil
}

// AwaitInSync waits until every replica of every partition is in sync: until
// then, to lose another broker may make partitions unavailable.
func (c *Cluster) AwaitInSync(ctx context.Context) error {
	client, err := newClient(c.Addresses())
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := inSync(ctx, admin)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("replicas in sync: %w; last answer: %w", context.Cause(ctx), err)
		case <-poll.C:
		}
	}
}

// lockFile is held while the folder's brokers are being started.
func lockFile(dataDir string) string { return filepath.Join(dataDir, "lock") }

func runs(dir string) (bool, error) {
	_, running, err := jvm.Running(dir)
	return running, err
}
