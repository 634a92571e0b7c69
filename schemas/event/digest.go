// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// Digest is SHA-256 over what an event says of its entity: entity, id, deleted
// and every field, not the delivery. Two deliveries of one event have the same
// digest even where the provider changed the body between them, as Stripe does
// with pending_webhooks. For the same reason the payload of a generic event,
// which is the body as it came, is no part of it.
func (e *Entity) Digest(ev *Event) [32]byte {
	d := digests.Get().(*digest) //nolint:errcheck,forcetypeassert // nothing else is put there
	defer digests.Put(d)
	*d = (*d)[:0]
	d.string(e.Name)
	d.string(ev.ID)
	d.value(ev.Meta.Deleted)
	for i := range e.Fields {
		if e.Name == Generic && e.Fields[i].Name == GenericPayload {
			continue
		}
		d.value(ev.at(i))
	}
	return sha256.Sum256(*d)
}

// digest is what is hashed.
type digest []byte

// digests are reused: what is hashed is about as long as the event.
var digests = sync.Pool{New: func() any { return new(digest) }}

// value writes a type byte and the value, so that null, "" and 0 differ.
func (d *digest) value(v any) {
	switch v := v.(type) {
	case nil:
		d.tag('n')
	case string:
		d.tag('s')
		d.string(v)
	case bool:
		d.tag('b')
		if v {
			d.tag('1')
		} else {
			d.tag('0')
		}
	case int64:
		d.tag('l')
		d.int(v)
	case time.Time:
		d.tag('t')
		d.int(v.UnixMicro())
	case []string:
		d.tag('a')
		d.int(int64(len(v)))
		for _, s := range v {
			d.string(s)
		}
	case map[string]string:
		d.tag('m')
		d.int(int64(len(v)))
		var few [fewKeys]string
		for _, k := range sortedKeys(few[:0], v) {
			d.string(k)
			d.string(v[k])
		}
	default:
		d.tag('x')
		d.string(fmt.Sprint(v))
	}
}

func (d *digest) tag(b byte) { *d = append(*d, b) }

func (d *digest) int(n int64) {
	*d = binary.BigEndian.AppendUint64(*d, uint64(n)) //nolint:gosec // the bits are what is hashed
}

func (d *digest) string(s string) {
	d.int(int64(len(s)))
	*d = append(*d, s...)
}
