// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"sync/atomic"
	"time"
)

// deadlines gives contexts that end after a timeout. Requests that come shortly
// after each other share one: a context and a timer of its own are a tenth of what
// a request allocates.
type deadlines struct {
	timeout time.Duration
	latest  atomic.Pointer[deadline]
}

// deadline is a context and until when others may join it.
type deadline struct {
	context.Context
	end      context.CancelFunc
	joinable time.Time
}

// joinFor is the part of the timeout that a shared deadline may come early.
const joinFor = 100

// after returns a context that ends when the timeout has passed, or up to a
// hundredth of it earlier.
func (d *deadlines) after(now time.Time) context.Context {
	if latest := d.latest.Load(); latest != nil && now.Before(latest.joinable) {
		return latest
	}
	ctx, end := context.WithDeadline(context.Background(), now.Add(d.timeout))
	next := &deadline{ctx, end, now.Add(d.timeout / joinFor)}
	d.latest.Store(next)
	return next
}

// end ends the latest deadline; those before it end by themselves.
func (d *deadlines) end() {
	if latest := d.latest.Load(); latest != nil {
		latest.end()
	}
}

// patience is the context of a request that goes on after its sender has left:
// its values, and a deadline.
type patience struct {
	context.Context
	request context.Context
}

// Value implements context.Context.
func (p patience) Value(key any) any { return p.request.Value(key) }
