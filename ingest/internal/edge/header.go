// SPDX-License-Identifier: Apache-2.0

package edge

import "net/http"

// MaxHeaderBytes bounds the target and the headers of a request, and so what of
// them can end up on a record. What net/http takes must be more: it answers a larger
// header by itself, without a problem document.
const MaxHeaderBytes = 16 << 10

// headerBytes is what the target and the headers of a request take on the wire, to
// within the first line and Host.
func headerBytes(r *http.Request) int {
	n := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}
