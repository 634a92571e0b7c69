// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/dev/internal/ports"
	"github.com/hookstream/hookstream/stage/runtest"
)

const (
	testTimeout    = 3 * time.Minute
	parentVariable = "HOOKSTREAM_TEST_KAFKA_PARENT"
	topic          = "records"
)

// TestMain lets the test binary also be the parent that a test kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(parentVariable); dir != "" {
		beParent(dir)
	}
	os.Exit(m.Run())
}

// beParent starts a cluster, prints its process id, and never ends.
func beParent(dir string) {
	cluster, err := Start(context.Background(), Options{DataDir: dir})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(cluster.nodes[0].process.Pid())
	select {}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// must skips the test where Java or Maven is not installed.
func must(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, jvm.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func startTest(t *testing.T, o Options) *Cluster {
	t.Helper()
	began := time.Now()
	cluster, err := Start(testContext(t), o)
	must(t, err)
	t.Logf("%d broker(s) ready after %v", len(cluster.Addresses()), time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := cluster.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func client(t *testing.T, addresses []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addresses...))...)
	must(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, addresses []string) {
	t.Helper()
	_, err := kadm.NewClient(client(t, addresses)).CreateTopic(testContext(t), 3, -1, nil, topic)
	must(t, err)
}

// transact writes the values in one transaction.
func transact(t *testing.T, addresses []string, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	ctx := testContext(t)
	cl := client(t, addresses, kgo.TransactionalID("writer"), kgo.DefaultProduceTopic(topic))
	must(t, cl.BeginTransaction())
	for _, value := range values {
		must(t, cl.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr())
	}
	must(t, cl.EndTransaction(ctx, end))
}

// committed reads n committed records.
func committed(t *testing.T, addresses []string, n int) map[string]bool {
	t.Helper()
	ctx := testContext(t)
	cl := client(t, addresses, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	values := map[string]bool{}
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		must(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { values[string(r.Value)] = true })
	}
	return values
}

func expect(t *testing.T, got map[string]bool, want ...string) {
	t.Helper()
	for _, value := range want {
		if !got[value] {
			t.Errorf("record %q is missing", value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got records %v, want %q", got, want)
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestRecordsOutliveAKilledBroker(t *testing.T) {
	cluster := startTest(t, Options{DataDir: t.TempDir()})
	createTopic(t, cluster.Addresses())
	transact(t, cluster.Addresses(), kgo.TryAbort, "aborted")
	transact(t, cluster.Addresses(), kgo.TryCommit, "a", "b")
	expect(t, committed(t, cluster.Addresses(), 2), "a", "b")

	must(t, cluster.Kill(0))
	select {
	case <-cluster.Done():
		t.Fatalf("a kill that was asked for ended the cluster: %v", cluster.Err())
	default:
	}
	began := time.Now()
	must(t, cluster.Restart(testContext(t), 0))
	t.Logf("ready again %v after the kill", time.Since(began).Round(time.Millisecond))
	transact(t, cluster.Addresses(), kgo.TryCommit, "c")
	expect(t, committed(t, cluster.Addresses(), 3), "a", "b", "c")
}

func TestStopAndStartAgainInTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	first := startTest(t, Options{DataDir: dir})
	createTopic(t, first.Addresses())
	transact(t, first.Addresses(), kgo.TryCommit, "kept")

	_, err := Start(testContext(t), Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by another Kafka (process "+strconv.Itoa(first.nodes[0].process.Pid())) {
		t.Errorf("second Start() = %v, want that the folder is in use", err)
	}
	must(t, first.Stop(testContext(t)))
	if first.Err() != nil || !gone(first.nodes[0].process.Pid()) {
		t.Errorf("after Stop: Err() = %v, process gone %t", first.Err(), gone(first.nodes[0].process.Pid()))
	}
	if _, err := Start(testContext(t), Options{DataDir: dir, Brokers: 3}); err == nil || !strings.Contains(err.Error(), "has a cluster of 1, not 3") {
		t.Errorf("Start(3 brokers) = %v, want that the folder has one", err)
	}

	second := startTest(t, Options{DataDir: dir})
	if got, want := second.Addresses()[0], first.Addresses()[0]; got != want {
		t.Errorf("address %s became %s", want, got)
	}
	expect(t, committed(t, second.Addresses(), 1), "kept")
}

func TestBrokerThatEndsByItselfEndsTheCluster(t *testing.T) {
	cluster := startTest(t, Options{DataDir: t.TempDir()})
	must(t, syscall.Kill(cluster.nodes[0].process.Pid(), syscall.SIGKILL))
	select {
	case <-cluster.Done():
	case <-testContext(t).Done():
		t.Fatal("Done is open after the broker was killed")
	}
	if err := cluster.Err(); err == nil || !strings.Contains(err.Error(), "broker 1") || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err() = %v, want how broker 1 ended", err)
	}
}

func TestPausedBrokerAnswersWhenResumed(t *testing.T) {
	cluster := startTest(t, Options{DataDir: t.TempDir()})
	admin := kadm.NewClient(client(t, cluster.Addresses()))
	must(t, cluster.Pause(0))
	// A signal has arrived at all threads only some time after it was sent.
	runtest.Eventually(t, "the broker to answer no more", func() bool {
		paused, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := admin.ListTopics(paused)
		return errors.Is(err, context.DeadlineExceeded)
	})
	began := time.Now()
	must(t, cluster.Resume(0))
	_, err := admin.ListTopics(testContext(t))
	must(t, err)
	t.Logf("answers %v after it was resumed", time.Since(began).Round(time.Millisecond))
	must(t, cluster.Pause(0)) // Stop ends a paused one too
}

func TestKilledParentLeavesNoBroker(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"="+dir)
	out, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.Contains(line, jvm.ErrMissing.Error()) {
		t.Skip(line)
	}
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if running, err := runs(broker{ID: 1}.dir(dir)); gone(pid) || !running || err != nil {
		t.Fatalf("no broker before the kill: running %t, %v", running, err)
	}
	must(t, parent.Process.Kill())
	_ = parent.Wait() // "signal: killed"
	runtest.Eventually(t, "the broker is gone", func() bool { return gone(pid) })
	if running, err := runs(broker{ID: 1}.dir(dir)); running || err != nil {
		t.Errorf("running %t, %v after the broker has gone", running, err)
	}
}

func TestThreeBrokersServeWithoutOne(t *testing.T) {
	cluster := startTest(t, Options{Brokers: 3, DataDir: t.TempDir()})
	createTopic(t, cluster.Addresses())
	transact(t, cluster.Addresses(), kgo.TryCommit, "by three")
	must(t, cluster.AwaitInSync(testContext(t)))

	must(t, cluster.Kill(1))
	began := time.Now()
	transact(t, cluster.Addresses(), kgo.TryCommit, "by two")
	expect(t, committed(t, cluster.Addresses(), 2), "by three", "by two")
	t.Logf("a transaction %v after the kill", time.Since(began).Round(time.Millisecond))

	// One replica of three is below min.insync.replicas: acks=all must fail.
	must(t, cluster.Kill(2))
	lonely, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	alone := client(t, cluster.Addresses()[:1], kgo.DefaultProduceTopic(topic),
		kgo.DisableIdempotentWrite()) // an idempotent write that was sent ignores its context
	if err := alone.ProduceSync(lonely, kgo.StringRecord("by one")).FirstErr(); err == nil {
		t.Error("one broker of three took a record with acks=all")
	}

	must(t, cluster.Restart(testContext(t), 2))
	began = time.Now()
	must(t, cluster.Restart(testContext(t), 1))
	must(t, cluster.AwaitInSync(testContext(t)))
	t.Logf("in sync %v after the second restart began", time.Since(began).Round(time.Millisecond))
	transact(t, cluster.Addresses(), kgo.TryCommit, "by three again")
}

func TestProxiedClientsStayBehindTheirProxy(t *testing.T) {
	cluster := startTest(t, Options{DataDir: t.TempDir()})
	route := cluster.Routes()[0]
	cl := client(t, []string{route.Upstream})
	metadata, err := kadm.NewClient(cl).BrokerMetadata(testContext(t))
	must(t, err)
	if got := fmt.Sprintf("%s:%d", metadata.Brokers[0].Host, metadata.Brokers[0].Port); got != route.Listen {
		t.Errorf("a proxied client is told to call %s, want the proxy's %s", got, route.Listen)
	}
}

func TestUpOutlivesUsUntilDown(t *testing.T) {
	o := Options{DataDir: t.TempDir()}
	must(t, Down(testContext(t), o.DataDir)) // nothing runs
	t.Cleanup(func() { _ = Down(context.WithoutCancel(t.Context()), o.DataDir) })
	first, err := Up(testContext(t), o)
	must(t, err)
	pid, running, err := jvm.Running(broker{ID: 1}.dir(o.DataDir))
	if !running || pid == 0 || err != nil {
		t.Fatalf("after Up: running %t, process %d, %v", running, pid, err)
	}
	createTopic(t, first)

	again, err := Up(testContext(t), o)
	must(t, err)
	if samePid, _, _ := jvm.Running(broker{ID: 1}.dir(o.DataDir)); again[0] != first[0] || samePid != pid {
		t.Errorf("second Up: %v, process %d; want %v, process %d", again, samePid, first, pid)
	}
	must(t, Down(testContext(t), o.DataDir))
	if !gone(pid) {
		t.Errorf("process %d runs after Down", pid)
	}
}

func TestStartFailures(t *testing.T) {
	var taken ports.Picker
	defer taken.Release()
	port, err := taken.Pick(0)
	must(t, err)
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"port in use":    {Options{Port: port, DataDir: t.TempDir()}, fmt.Sprintf("port %d cannot be used", port)},
		"two brokers":    {Options{Brokers: 2, DataDir: t.TempDir()}, "choose 1 or 3"},
		"no data folder": {Options{}, "no data folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(testContext(t), test.options)
			if errors.Is(err, jvm.ErrMissing) {
				t.Skip(err)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start() = %v, want %q", err, test.want)
			}
		})
	}
}
