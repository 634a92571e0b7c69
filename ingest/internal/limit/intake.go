// SPDX-License-Identifier: Apache-2.0

// Package limit bounds what senders can take: requests a second, connections,
// and the memory that bodies fill.
package limit

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// candidates is how many connections are looked at to find one that gives way.
// A sender with most of the connections is nearly always among them.
const candidates = 32

// Config of an Intake.
type Config struct {
	// MaxConnections are open at once.
	MaxConnections int
	// MaxBodyBytes are held by bodies at once.
	MaxBodyBytes int64
	// ReadTimeout bounds the time in which a body arrives.
	ReadTimeout time.Duration
	// MinBodyRate is what a body must keep up, in bytes a second, once it
	// has had a few seconds.
	MinBodyRate int64
}

// Intake knows every connection of an http.Server, and which of them keep us
// waiting: they are idle, or send their headers or body. Only those are ever
// closed to make room; a request that has arrived is worked on to its answer.
type Intake struct {
	cfg     Config
	now     func() time.Time
	metrics metrics

	mu      sync.Mutex
	conns   map[net.Conn]*conn
	sources map[netip.Prefix]int
	// reading are the connections with an unfinished body.
	reading map[*conn]struct{}
	// held are the bytes of bodies, of which leaving belong to requests whose
	// connection was closed and that are about to let go of them.
	held, leaving int64
}

// conn is one connection.
type conn struct {
	raw    net.Conn
	source netip.Prefix
	// waiting is since when the sender keeps us waiting; zero while a request
	// is worked on.
	waiting time.Time
	// body is about how many bytes an unfinished body holds.
	body int64
	// closed says that it had to give way.
	closed bool
}

type metrics struct {
	open metric.Int64UpDownCounter
	shed metric.Int64Counter
}

// Why a connection had to give way.
var (
	forConnections = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "connections")))
	forMemory      = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", "memory")))
)

// NewIntake makes an Intake for one http.Server: Opened and Changed are its
// ConnContext and ConnState, and Bodies wraps its Handler. It speaks HTTP/1.1
// only, where a connection has one request at a time.
func NewIntake(cfg Config) (*Intake, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/ingest/limit")
	open, err1 := meter.Int64UpDownCounter("hookstream.ingest.connections",
		metric.WithDescription("Open connections."))
	shed, err2 := meter.Int64Counter("hookstream.ingest.connections.shed",
		metric.WithDescription("Idle and slow connections that were closed to make room, by what was short."))
	i := &Intake{
		cfg: cfg, now: time.Now, metrics: metrics{open, shed},
		conns: map[net.Conn]*conn{}, sources: map[netip.Prefix]int{}, reading: map[*conn]struct{}{},
	}
	_, err3 := meter.Int64ObservableGauge("hookstream.ingest.bodies", metric.WithUnit("By"),
		metric.WithDescription("Memory that the bodies of requests hold, of HOOKSTREAM_MAX_IN_FLIGHT_BYTES."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			o.Observe(i.held)
			return nil
		}))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return i, nil
}

// contextKey finds a request's conn.
type contextKey struct{}

// Opened is an http.Server's ConnContext. Over the bound a connection that keeps
// us waiting gives way: of the sender with the most, the one that has waited
// longest. Where every connection is worked on, it is the new one.
func (i *Intake) Opened(ctx context.Context, c net.Conn) context.Context {
	raw := rawConn(c)
	k := &conn{raw: raw, source: sourceOf(raw), waiting: i.now()}
	i.mu.Lock()
	victim := k
	if len(i.conns) < i.cfg.MaxConnections {
		victim = nil
	} else if v := i.mostPatient(); v != nil {
		victim = v
		i.forget(v)
	}
	if victim != k {
		i.conns[raw] = k
		i.sources[k.source]++
	}
	i.mu.Unlock()
	i.metrics.open.Add(ctx, 1)
	i.drop(victim, forConnections)
	return context.WithValue(ctx, contextKey{}, k)
}

// Changed is an http.Server's ConnState.
func (i *Intake) Changed(c net.Conn, state http.ConnState) {
	if state == http.StateClosed {
		i.metrics.open.Add(context.Background(), -1)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	k := i.conns[rawConn(c)]
	switch {
	case k == nil: // it had to give way
	case state == http.StateClosed:
		i.forget(k)
	case state != http.StateNew: // the headers are here, or the answer is written
		k.waiting = i.now()
	}
}

// mostPatient picks, of a sample, a connection of the source that has the most,
// and of its connections the one that has kept us waiting longest.
func (i *Intake) mostPatient() *conn {
	var found *conn
	left := candidates
	for _, k := range i.conns {
		if left--; left < 0 {
			break
		}
		if !k.waiting.IsZero() && (found == nil || i.before(k, found)) {
			found = k
		}
	}
	return found
}

func (i *Intake) before(a, b *conn) bool {
	if of, than := i.sources[a.source], i.sources[b.source]; of != than {
		return of > than
	}
	return a.waiting.Before(b.waiting)
}

// forget stops counting a connection.
func (i *Intake) forget(k *conn) {
	delete(i.conns, k.raw)
	if i.sources[k.source]--; i.sources[k.source] == 0 {
		delete(i.sources, k.source)
	}
}

// drop closes a connection. Its sender has no answer and so sends again.
func (i *Intake) drop(k *conn, reason metric.AddOption) {
	if k == nil {
		return
	}
	_ = k.raw.Close() // the server notices and ends what it does with it
	i.metrics.shed.Add(context.Background(), 1, reason)
}

// rawConn is the TCP connection below TLS and the PROXY protocol. Closing TLS
// would write an alert and could wait for the peer; asking the PROXY protocol
// for the address would wait for its header.
func rawConn(c net.Conn) net.Conn {
	for {
		switch wrapped := c.(type) {
		case *tls.Conn:
			c = wrapped.NetConn()
		case interface{ Raw() net.Conn }:
			c = wrapped.Raw()
		default:
			return c
		}
	}
}

// sourceOf is the peer's address, of IPv6 the /64: a single host has all of it.
func sourceOf(c net.Conn) netip.Prefix {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr, bits := tcp.AddrPort().Addr().Unmap(), 32
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
