// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

// firstRead is how much memory a request gets before it has sent anything,
// whatever length it announces.
const firstRead = 64 << 10

// readBody reads the whole body, of at most limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, *refusal) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, refuse(unsupportedEncoding, "the body must be sent without Content-Encoding").with("Accept-Encoding", "identity")
	}
	if r.ContentLength > limit {
		return nil, tooLargeFor(limit)
	}
	buf := bytes.NewBuffer(make([]byte, 0, sizeHint(r.ContentLength)))
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case n > limit:
		return nil, tooLargeFor(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(requestTimeout, "the body did not arrive in time").closing()
	case err != nil:
		return nil, refuse(unreadableBody, "the body broke off before its end").closing()
	case n == 0:
		return nil, refuse(emptyBody, "the request has no body, so there is nothing that a signature could cover")
	}
	return buf.Bytes(), nil
}

// sizeHint leaves room for the read that finds the end, so that a body of the
// announced length is read without growing the buffer.
func sizeHint(contentLength int64) int64 {
	if contentLength < 0 {
		contentLength = 0
	}
	return min(contentLength, firstRead) + bytes.MinRead
}
