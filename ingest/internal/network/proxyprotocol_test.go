// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// remoteAddr runs a server behind ProxyProtocol, sends it what a proxy would, and
// returns the sender's address as the server saw it.
func remoteAddr(t *testing.T, trusted Networks, preamble string) (string, error) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) }),
	}
	go func() { _ = s.Serve(ProxyProtocol(l, trusted, time.Second)) }()
	defer s.Close()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, preamble+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", res.Status)
	}
	return string(body), nil
}

const (
	version1 = "PROXY TCP4 198.51.100.1 203.0.113.1 4711 443\r\n"
	// The PROXY protocol, version 2, section 2.2: signature, PROXY, TCP over
	// IPv4, 12 bytes of addresses and ports.
	version2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x01\xcb\x00\x71\x01\x12\x67\x01\xbb"
)

func TestProxyProtocol(t *testing.T) {
	loopback, err := ParseNetworks([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, preamble := range map[string]string{"version 1": version1, "version 2": version2} {
		if got, err := remoteAddr(t, loopback, preamble); err != nil || got != "198.51.100.1:4711" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := remoteAddr(t, nil, preamble); err == nil {
			t.Errorf("%s was taken from a stranger, as %s", name, got)
		}
	}
	if got, err := remoteAddr(t, loopback, ""); err == nil {
		t.Errorf("a proxy may leave the header out: %s", got)
	}
	if got, err := remoteAddr(t, nil, ""); err != nil {
		t.Errorf("a stranger without the header: %s, %v", got, err)
	}
}
