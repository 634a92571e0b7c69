// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// firstRead is how much memory a body gets before it has sent anything, in
// bytes, whatever length it announces; each time it fills what it has it gets
// four times as much.
const (
	firstRead = 4 << 10
	growth    = 4
)

// readBody reads the whole body, decompressed, of at most MaxBody bytes. Its
// memory is the exchange's to release.
func (h *Handler) readBody(x *exchange) ([]byte, *refusal) {
	limit := h.cfg.MaxBody
	switch {
	case x.ContentLength > limit:
		return nil, tooLargeFor(limit)
	case x.ContentLength == 0:
		return []byte{}, nil
	}
	switch encoding := x.Header.Get("Content-Encoding"); {
	case encoding == "", strings.EqualFold(encoding, "identity"):
		return h.fill(x, x.Body, max(x.ContentLength, 0))
	case strings.EqualFold(encoding, "gzip"):
		return h.gunzip(x)
	}
	return nil, refuse(unsupportedEncoding, "the body must be sent with Content-Encoding gzip or without one").with("Accept-Encoding", "gzip, identity")
}

// decompressors are kept because each has 40 KB of tables.
var decompressors = sync.Pool{New: func() any { return new(gzip.Reader) }}

// gunzip bounds both what comes in and what comes out: a small body may expand a
// thousandfold, and an endless row of empty gzip members to nothing.
func (h *Handler) gunzip(x *exchange) ([]byte, *refusal) {
	z := decompressors.Get().(*gzip.Reader) //nolint:errcheck // the pool holds nothing else
	defer decompressors.Put(z)
	compressed := &bounded{r: x.Body, left: h.cfg.MaxBody + 1}
	if err := z.Reset(compressed); err != nil {
		return nil, h.unreadable(err)
	}
	return h.fill(x, z, 0)
}

// fill reads r to its end. Announced is the length that it is said to have, in
// bytes, or 0.
func (h *Handler) fill(x *exchange, r io.Reader, announced int64) ([]byte, *refusal) {
	size := int64(firstRead)
	if announced > 0 {
		// One more, so that the end is found without growing.
		size = min(announced+1, firstRead)
	}
	var buf []byte
	for {
		if !h.acquireMemory(x, size-int64(cap(buf))) {
			return nil, noMemory()
		}
		buf = append(make([]byte, 0, size), buf...)
		for len(buf) < cap(buf) {
			n, err := r.Read(buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			switch {
			case int64(len(buf)) > h.cfg.MaxBody:
				return nil, tooLargeFor(h.cfg.MaxBody)
			case errors.Is(err, io.EOF):
				return buf, nil
			case err != nil:
				return nil, h.unreadable(err)
			}
		}
		size = nextSize(size, announced, h.cfg.MaxBody)
	}
}

// nextSize grows a buffer, not beyond what can still come.
func nextSize(size, announced, limit int64) int64 {
	size *= growth
	if announced > 0 {
		size = min(size, announced+1)
	}
	return min(size, limit+1)
}

// unreadable is the refusal of a body that broke off.
func (h *Handler) unreadable(err error) *refusal {
	switch {
	case errors.Is(err, errTooLong):
		return tooLargeFor(h.cfg.MaxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(requestTimeout, "the body did not arrive in time").closing()
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, new(flate.CorruptInputError)):
		return refuse(unreadableBody, "the body is not valid gzip").closing()
	}
	return refuse(unreadableBody, "the body broke off before its end").closing()
}

var errTooLong = errors.New("compressed body too long")

// bounded is a reader of at most left bytes, after which it fails rather than
// ends: an end would look like a body that broke off.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// acquireMemory takes bytes for the exchange.
func (h *Handler) acquireMemory(x *exchange, bytes int64) bool {
	if h.cfg.Memory == nil {
		return true
	}
	if !h.cfg.Memory.TryAcquire(bytes) {
		return false
	}
	x.memory += bytes
	return true
}

// releaseMemory gives back all that the exchange took.
func (h *Handler) releaseMemory(x *exchange) {
	if x.memory > 0 {
		h.cfg.Memory.Release(x.memory)
	}
}
