// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a connection between the services and a part, which can be cut and
// slowed (Toxiproxy).
type link struct{ proxy *toxiproxy.Proxy }

// newLink leads connections to listen, where 127.0.0.1:0 is a free port, on to
// upstream.
func newLink(name, listen, upstream string) (*link, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, name, listen, upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	return &link{p}, nil
}

func (l *link) address() string { return l.proxy.Listen }

// cut drops all connections and refuses new ones until mend.
func (l *link) cut() { l.proxy.Stop() }

func (l *link) mend() error { return l.proxy.Start() }

const slow = `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":400,"jitter":300}}`

// slow delays every answer until quicken.
func (l *link) slow() error {
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(slow))
	return err
}

func (l *link) quicken(ctx context.Context) { l.proxy.Toxics.ResetToxics(ctx) }

// bridge leads TCP connections to a Unix socket, which moves when the private
// Postgres is started again.
type bridge struct {
	listener net.Listener
	socket   atomic.Pointer[string]
	wg       sync.WaitGroup
}

func newBridge() (*bridge, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the bridge
	if err != nil {
		return nil, err
	}
	b := &bridge{listener: ln}
	b.wg.Go(b.accept)
	return b, nil
}

func (b *bridge) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.wg.Go(func() { b.carry(conn) })
	}
}

func (b *bridge) carry(from net.Conn) {
	defer from.Close()
	socket := b.socket.Load()
	if socket == nil {
		return
	}
	to, err := net.Dial("unix", *socket) //nolint:noctx // local, answers at once
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	pipe := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src) // either side may end it
		done <- struct{}{}
	}
	go pipe(to, from)
	go pipe(from, to)
	<-done
}

func (b *bridge) close() { _ = b.listener.Close() }
