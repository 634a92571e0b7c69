// SPDX-License-Identifier: Apache-2.0

package limit

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fakeConn is a connection from an address that only knows whether it is closed.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", c.from)
	if err != nil {
		panic(err)
	}
	return addr
}

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

// clocked is an Intake with a clock of its own.
type clocked struct {
	*Intake
	t    *testing.T
	time time.Time
}

func newClocked(t *testing.T, cfg Config) *clocked {
	t.Helper()
	cfg.ReadTimeout, cfg.MinBodyRate = time.Minute, 1024
	intake, err := NewIntake(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &clocked{intake, t, time.Unix(1_767_225_600, 0)}
	intake.now = func() time.Time { return c.time }
	return c
}

// open accepts a connection and lets a second pass.
func (c *clocked) open(from string) (*fakeConn, *conn) {
	fake := &fakeConn{from: from}
	ctx := c.Opened(c.t.Context(), fake)
	c.Changed(fake, http.StateNew)
	c.time = c.time.Add(time.Second)
	return fake, ctx.Value(contextKey{}).(*conn) //nolint:errcheck // Opened puts nothing else there
}

func TestTheLongestIdleGivesWay(t *testing.T) {
	c := newClocked(t, Config{MaxConnections: 3})
	first, _ := c.open("192.0.2.1:1")
	second, _ := c.open("192.0.2.2:1")
	c.Changed(first, http.StateActive)
	c.Changed(first, http.StateIdle) // it is younger now
	third, working := c.open("192.0.2.3:1")
	c.arrived(working)
	fourth, _ := c.open("192.0.2.4:1")
	if !second.closed || first.closed || third.closed || fourth.closed {
		t.Errorf("closed %t %t %t %t, want the second only", first.closed, second.closed, third.closed, fourth.closed)
	}
	c.Changed(second, http.StateClosed)
	c.Changed(fourth, http.StateClosed)
	fifth, _ := c.open("192.0.2.5:1")
	if first.closed || fifth.closed {
		t.Error("closed although there is room")
	}
	if len(c.conns) != 3 || len(c.sources) != 3 {
		t.Errorf("counts %d connections of %d sources, want 3 of 3", len(c.conns), len(c.sources))
	}
}

func TestTheSenderWithMostGivesWayFirst(t *testing.T) {
	c := newClocked(t, Config{MaxConnections: 20})
	oldest, _ := c.open("192.0.2.1:1")
	var greedy []*fakeConn
	for i := range 19 {
		// Hosts of one /64 are one sender.
		conn, _ := c.open(fmt.Sprintf("[2001:db8::%x]:1", i+1))
		greedy = append(greedy, conn)
	}
	for range 10 {
		c.open("192.0.2.9:1")
	}
	closed := 0
	for i, conn := range greedy {
		if conn.closed {
			closed++
			if i >= 10 {
				t.Errorf("number %d was closed before older ones", i)
			}
		}
	}
	if closed < 9 || oldest.closed {
		t.Errorf("%d of the greedy sender were closed, the other one: %t", closed, oldest.closed)
	}
}

func TestWhereAllAreWorkedOnTheNewcomerGivesWay(t *testing.T) {
	c := newClocked(t, Config{MaxConnections: 1})
	old, working := c.open("192.0.2.1:1")
	c.arrived(working)
	late, _ := c.open("192.0.2.2:1")
	if old.closed || !late.closed {
		t.Errorf("closed %t, %t", old.closed, late.closed)
	}
	c.Changed(late, http.StateClosed)
	c.Changed(old, http.StateClosed)
	if len(c.conns) != 0 || len(c.sources) != 0 {
		t.Errorf("%d connections of %d sources are left", len(c.conns), len(c.sources))
	}
}

func TestSlowBodiesGiveTheirMemory(t *testing.T) {
	c := newClocked(t, Config{MaxConnections: 9, MaxBodyBytes: 100_000})
	slow := func() (*fakeConn, *conn) {
		fake, k := c.open("192.0.2.1:1")
		c.Changed(fake, http.StateActive)
		c.unfinished(k, 40_000)
		if !c.TryAcquire(40_000) {
			t.Fatal("no room for the first ones")
		}
		c.time = c.time.Add(2 * slowAfter)
		return fake, k
	}
	first, firstConn := slow()
	second, secondConn := slow()
	c.arrived(secondConn)
	third, thirdConn := c.open("192.0.2.1:1")
	c.Changed(third, http.StateActive)
	c.unfinished(thirdConn, leastHeld)
	if !c.TryAcquire(40_000) {
		t.Error("the slow body kept its memory")
	}
	if !first.closed || second.closed || third.closed {
		t.Errorf("closed %t %t %t, want the first only", first.closed, second.closed, third.closed)
	}
	// The others are complete or not slow: what is held stays held.
	if c.TryAcquire(40_000) {
		t.Error("took more than there is")
	}
	// The handler of the first ends.
	c.Release(40_000)
	c.answered(firstConn)
	if c.held != 80_000 || c.leaving != 0 {
		t.Errorf("held %d, leaving %d", c.held, c.leaving)
	}
	if !c.TryAcquire(20_000) || c.TryAcquire(1) {
		t.Error("room is not what is left")
	}
}

func TestABodyMustKeepUpItsRate(t *testing.T) {
	c := newClocked(t, Config{})
	b := &body{intake: c.Intake, began: c.time}
	for n, want := range map[int64]time.Duration{1: bodyGrace, 10 << 10: bodyGrace + 10*time.Second, 1 << 20: time.Minute} {
		b.n = n
		if got := b.deadline().Sub(c.time).Round(10 * time.Millisecond); got != want {
			t.Errorf("after %d bytes the deadline is at %s, want %s", n, got, want)
		}
	}
}

// serve runs a real server, which answers with the length of the body.
func serve(t *testing.T, cfg Config) (*Intake, *httptest.Server) {
	t.Helper()
	intake, err := NewIntake(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(intake.Bodies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
			return
		}
		fmt.Fprint(w, len(data))
	})))
	s.Config.ConnContext, s.Config.ConnState = intake.Opened, intake.Changed
	t.Cleanup(s.Close)
	return intake, s
}

func TestBodiesArriveWholeOverEveryKindOfConnection(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"HTTP": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			intake, s := serve(t, Config{MaxConnections: 10, MaxBodyBytes: 1 << 20, ReadTimeout: time.Minute, MinBodyRate: 1})
			start(s)
			for _, size := range []int{0, 1, 5000, 1 << 20} {
				res, err := s.Client().Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if string(got) != fmt.Sprint(size) {
					t.Errorf("%d bytes arrived as %s", size, got)
				}
			}
			s.Close()
			intake.mu.Lock()
			defer intake.mu.Unlock()
			if len(intake.conns)+len(intake.sources)+len(intake.reading) > 0 {
				t.Errorf("left: %d connections, %d sources, %d bodies", len(intake.conns), len(intake.sources), len(intake.reading))
			}
		})
	}
}

func TestADribblingBodyEnds(t *testing.T) {
	_, s := serve(t, Config{MaxConnections: 10, MaxBodyBytes: 1 << 20, ReadTimeout: 200 * time.Millisecond, MinBodyRate: 1})
	s.Start()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("answered %q, %v", answer, err)
	}
}

func TestRawConnLooksBelowTLS(t *testing.T) {
	fake := &fakeConn{}
	if got := rawConn(tls.Server(fake, nil)); got != net.Conn(fake) {
		t.Errorf("got %T", got)
	}
}
