// SPDX-License-Identifier: Apache-2.0

package record

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
)

// headers are a record's under construction. Their values share memory: a
// webhook has twenty and an event thirteen, and both are written for every request.
type headers struct {
	list   header.List
	values []byte
}

func (h *headers) add(name, value string) {
	start := len(h.values)
	h.values = append(h.values, value...)
	h.list = append(h.list, kgo.RecordHeader{Key: name, Value: h.values[start:len(h.values):len(h.values)]})
}

func (h *headers) addSet(name, value string) {
	if value != "" {
		h.add(name, value)
	}
}
