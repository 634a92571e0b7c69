// SPDX-License-Identifier: Apache-2.0

package body

import (
	"strings"
	"testing"
)

// event2KB is a webhook of a usual size and shape.
var event2KB = []byte(`{"id":"evt_1","object":"event","created":1767268800,"type":"invoice.paid","data":{"object":{"id":"in_1",` +
	`"customer":"cus_1","total":1980,"lines":[` + strings.Repeat(`{"some_name":"some value","amount":12345},`, 44) + `{}]}}}`)

var eventPaths = []string{"id", "type", "created", "data.object.payment_intent", "data.object.charge", "data.object.customer",
	"data.object.id", "data.object.invoice", "related_object.id", "account"}

func BenchmarkExtract(b *testing.B) {
	p := NewPaths(eventPaths)
	b.SetBytes(int64(len(event2KB)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Extract(event2KB); err != nil {
			b.Fatal(err)
		}
	}
}
