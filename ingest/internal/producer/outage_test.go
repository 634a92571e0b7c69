// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// link is a broker's listener that can be cut, so that its connections end and
// new ones are refused, and mended on the same address.
type link struct {
	address string
	up      chan net.Listener
	closed  sync.Once

	mu      sync.Mutex
	current net.Listener
	conns   []net.Conn
}

func (l *link) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l.address, l.current, l.up = inner.Addr().String(), inner, make(chan net.Listener, 1)
	return l, nil
}

// Accept outlives a cut: it goes on with the listener that mends it.
func (l *link) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		inner := l.current
		l.mu.Unlock()
		conn, err := inner.Accept()
		if err == nil {
			l.mu.Lock()
			l.conns = append(l.conns, conn)
			l.mu.Unlock()
			return conn, nil
		}
		mended, ok := <-l.up
		if !ok {
			return nil, net.ErrClosed
		}
		l.mu.Lock()
		l.current = mended
		l.mu.Unlock()
	}
}

func (l *link) Close() error {
	l.closed.Do(func() { close(l.up) })
	_ = l.cut() // it may be cut already
	return nil
}

func (l *link) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current.Addr()
}

func (l *link) cut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs := []error{l.current.Close()}
	for _, conn := range l.conns {
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) { // the client may have been first
			errs = append(errs, err)
		}
	}
	l.conns = nil
	return errors.Join(errs...)
}

func (l *link) mend(t *testing.T) {
	t.Helper()
	inner, err := net.Listen("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	l.up <- inner
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestOutageUnderLoad takes the broker away in the middle of a batch, where the
// client cannot know whether it was stored, and goes on sending.
func TestOutageUnderLoad(t *testing.T) {
	const (
		workers = 64
		rounds  = 20
		size    = 64 << 10
		timeout = 100 * time.Millisecond
	)
	var broker link
	var silent atomic.Bool
	c := kafkatest.Fake(t, "it goes away here", kfake.ListenFn(broker.listen), kfake.SeedTopics(3, topic.DefaultNames().Raw))
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, silent.Load()
	})
	p, err := New(newConfig(&kafkatest.Broker{Addresses: c.ListenAddrs()}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.checked.Store(true)
	value := bytes.Repeat([]byte("v"), size)
	send := func() error {
		return p.Produce(t.Context(), &kgo.Record{Topic: p.cfg.Kafka.Topics.Raw, Value: value[:size:size]})
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}
	goroutines, before := runtime.NumGoroutine(), heap()

	p.deadlines = deadlines{timeout: timeout}
	silent.Store(true)
	if err := send(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("from a silent broker: %v", err)
	}
	if err := broker.cut(); err != nil {
		t.Fatal(err)
	}
	silent.Store(false)
	longest := sendDuringOutage(t, p, workers, rounds, size)
	runtest.Eventually(t, "what was given up left the buffer", func() bool { return p.client.BufferedProduceRecords() == 0 })
	runtest.Eventually(t, "the goroutines of the outage ended", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	grown := heap() - before
	if grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	t.Logf("away: %d requests of %d KiB, longest answer %s (deadline %s), goroutines %d -> %d, heap %+.1f MiB",
		workers*rounds, size>>10, longest.Round(time.Millisecond), timeout, goroutines, runtime.NumGoroutine(), float64(grown)/(1<<20))

	broker.mend(t)
	back := time.Now()
	runtest.Eventually(t, "records are acknowledged again", func() bool { return send() == nil })
	t.Logf("acknowledged again %s after the broker was back", time.Since(back).Round(time.Millisecond))
}

// sendDuringOutage sends records with values of their own and returns how long
// the longest wait for a refusal was.
func sendDuringOutage(t *testing.T, p *Producer, workers, rounds, size int) time.Duration {
	t.Helper()
	var longest atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				start := time.Now()
				err := p.Produce(t.Context(), &kgo.Record{Topic: p.cfg.Kafka.Topics.Raw, Value: make([]byte, size)})
				took := time.Since(start)
				if !errors.Is(err, ErrUnavailable) || took > generous {
					t.Errorf("got %v after %s", err, took)
				}
				for old := longest.Load(); int64(took) > old && !longest.CompareAndSwap(old, int64(took)); old = longest.Load() {
				}
			}
		})
	}
	wg.Wait()
	return time.Duration(longest.Load())
}
