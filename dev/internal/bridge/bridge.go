// SPDX-License-Identifier: Apache-2.0

// Package bridge gives a private Postgres an address that stays: it listens on a
// Unix socket, which moves when the server is started again.
package bridge

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Bridge leads TCP connections to the server's socket.
type Bridge struct {
	listener net.Listener
	socket   atomic.Pointer[string]
	wg       sync.WaitGroup
}

// New listens on a free port and leads nowhere yet: connections are closed.
func New() (*Bridge, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the bridge
	if err != nil {
		return nil, err
	}
	b := &Bridge{listener: ln}
	b.wg.Go(b.accept)
	return b, nil
}

// Lead leads new connections to the server of a URL that names its socket's
// folder and port.
func (b *Bridge) Lead(databaseURL string) error {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return fmt.Errorf("bridge to Postgres: %w", err)
	}
	socket := filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port"))
	b.socket.Store(&socket)
	return nil
}

// Address is where the bridge listens, host and port.
func (b *Bridge) Address() string { return b.listener.Addr().String() }

func (b *Bridge) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.wg.Go(func() { b.carry(conn) })
	}
}

func (b *Bridge) carry(from net.Conn) {
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

// Close ends listening; connections end with the server or its clients.
func (b *Bridge) Close() { _ = b.listener.Close() }
