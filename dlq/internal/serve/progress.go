// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/schemas/record"
)

const (
	// progressEvery bounds how often a stream is written to, heartbeat how
	// long it is silent, so that proxies keep it open.
	progressEvery = 250 * time.Millisecond
	heartbeat     = 15 * time.Second
	// streamWrite is how long a write to a stream may take: a client that does
	// not read is let go.
	streamWrite = 10 * time.Second
)

func (h *handler) operations(r *http.Request, _ *auth.Caller) (answer, error) {
	if err := newParams(r.URL.Query()).end(); err != nil {
		return nil, err
	}
	return ok(map[string]any{"items": h.runner.all()})
}

func (h *handler) find(r *http.Request) (*operation, error) {
	id := r.PathValue("id")
	if o := h.runner.get(id); o != nil {
		return o, nil
	}
	return nil, refuse(notFound, "this instance remembers no operation %.128q, only the last %d since it started; GET /v1/history has what was done", id, remembered)
}

func (h *handler) operation(r *http.Request, _ *auth.Caller) (answer, error) {
	o, err := h.find(r)
	if err != nil {
		return nil, err
	}
	state, _ := o.look()
	return ok(state)
}

// stop ends an operation after the transactions in hand. Who may start it may
// stop it.
func (h *handler) stop(r *http.Request, caller *auth.Caller) (answer, error) {
	o, err := h.find(r)
	if err != nil {
		return nil, err
	}
	state, _ := o.look()
	needs := auth.Discard
	if state.Action == record.Replayed {
		needs = auth.Replay
	}
	if !caller.May(needs) {
		return nil, h.forbid(r, caller, needs)
	}
	h.log.InfoContext(r.Context(), "a change is stopped", "audit", true, "operation", state.ID, "by", caller.Name, correlatedWith(r.Context()))
	o.cancel()
	return accepted(&state), nil
}

// events streams the progress of an operation (server-sent events, WHATWG HTML).
// Each event is the whole state, so a client that connects again misses nothing.
func (h *handler) events(r *http.Request, _ *auth.Caller) (answer, error) {
	o, err := h.find(r)
	if err != nil {
		return nil, err
	}
	select {
	case h.streams <- struct{}{}:
		return &stream{o, func() { <-h.streams }, h.runner.ctx.Done()}, nil
	default:
		return nil, refuse(overloaded, "%d streams are open (HOOKSTREAM_DLQ_MAX_STREAMS); poll GET /v1/operations/ID", cap(h.streams))
	}
}

// stream is one client's.
type stream struct {
	*operation
	done func()
	// leaving is closed when the service ends.
	leaving <-chan struct{}
}

func (s *stream) send(w http.ResponseWriter, r *http.Request) {
	defer s.done()
	control := http.NewResponseController(w)
	// The limits of a request are not those of a stream.
	if control.SetReadDeadline(time.Time{}) != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	write := func(data []byte) bool {
		return control.SetWriteDeadline(time.Now().Add(streamWrite)) == nil &&
			func() bool { _, err := w.Write(data); return err == nil }() && control.Flush() == nil
	}
	for {
		state, changed := s.look()
		if !write(event(&state)) || state.State != Running {
			return
		}
		if !s.wait(r, changed, write) {
			return
		}
	}
}

// wait waits for a change, but not for less than progressEvery. It reports
// whether to go on.
func (s *stream) wait(r *http.Request, changed <-chan struct{}, write func([]byte) bool) bool {
	pace := time.NewTimer(progressEvery)
	defer pace.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for paced := false; ; {
		var news <-chan struct{}
		if paced {
			news = changed
		}
		select {
		case <-pace.C:
			paced = true
		case <-news:
			return true
		case <-beat.C:
			if !write([]byte(": still running\n\n")) {
				return false
			}
		case <-r.Context().Done():
			return false
		case <-s.leaving:
			return false
		}
	}
}

// event is progress, or the state at the end.
func event(o *Operation) []byte {
	name := "progress"
	if o.State != Running {
		name = "end"
	}
	data, err := json.Marshal(o)
	if err != nil { // it is made to be JSON
		panic(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	return b.Bytes()
}
