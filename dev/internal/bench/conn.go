// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// maxAnswer is more than any answer that is expected.
const maxAnswer = 4 << 10

// conn is a keep-alive HTTP/1.1 connection that does as little as possible, so
// that the server is what is measured: requests are ready bytes, and of an
// answer only status and length are looked at.
type conn struct {
	net.Conn
	buf [maxAnswer]byte
}

func dial(ctx context.Context, address string, n int) ([]*conn, error) {
	var d net.Dialer
	conns := make([]*conn, 0, n)
	for range n {
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			hangUp(conns)
			return nil, err
		}
		conns = append(conns, &conn{Conn: c})
	}
	return conns, nil
}

func hangUp(conns []*conn) {
	for _, c := range conns {
		_ = c.Close() // nothing is under way
	}
}

// exchange sends a request and reads its answer, which must be 202.
func (c *conn) exchange(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	n := 0
	for {
		if n == len(c.buf) {
			return fmt.Errorf("an answer is longer than %d bytes", maxAnswer)
		}
		read, err := c.Read(c.buf[n:])
		if err != nil {
			return err
		}
		n += read
		if done, err := complete(c.buf[:n]); done || err != nil {
			return err
		}
	}
}

var (
	wantStatus    = []byte("HTTP/1.1 202 ")
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// complete reports whether b is a whole answer.
func complete(b []byte) (bool, error) {
	head := bytes.Index(b, endOfHead)
	if head < 0 {
		return false, nil
	}
	if !bytes.HasPrefix(b, wantStatus) {
		return false, fmt.Errorf("answered %.200q, want 202", b)
	}
	_, rest, ok := bytes.Cut(b[:head+2], contentLength)
	if !ok {
		return false, errors.New("an answer has no Content-Length")
	}
	digits, _, _ := bytes.Cut(rest, endOfHead[:2])
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return false, fmt.Errorf("an answer's Content-Length is %.20q", digits)
	}
	whole := head + len(endOfHead) + length
	if len(b) > whole {
		return false, fmt.Errorf("%d bytes came after an answer", len(b)-whole)
	}
	return len(b) == whole, nil
}
