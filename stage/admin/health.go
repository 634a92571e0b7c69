// SPDX-License-Identifier: Apache-2.0

// Package admin is the listener for operators: health and metrics.
package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Health collects what the parts of a service say of themselves.
type Health struct {
	service string

	mu    sync.Mutex
	parts map[string]Status
}

// Status is the state of one part.
type Status struct {
	Ready bool `json:"ready"`
	// Reason says why it is not ready, or what is wrong while it still works.
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// NewHealth makes a Health of a service in which the named parts are not ready
// yet. All the names become labels of a metric.
func NewHealth(service string, parts ...string) *Health {
	h := &Health{service: service, parts: map[string]Status{}}
	for _, p := range parts {
		h.parts[p] = Status{Reason: "starting", Since: time.Now()}
	}
	return h
}

// Set notes the state of a part. The time of the last change is kept.
func (h *Health) Set(part string, ready bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.parts[part]
	if known && old.Ready == ready && old.Reason == reason {
		return
	}
	h.parts[part] = Status{Ready: ready, Reason: reason, Since: time.Now()}
}

// Reporter is Set for one part, as the consume loops want it.
func (h *Health) Reporter(part string) func(ready bool, reason string) {
	return func(ready bool, reason string) { h.Set(part, ready, reason) }
}

// Ready reports whether every part is ready, and the state of each.
func (h *Health) Ready() (bool, map[string]Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ready := true
	for _, s := range h.parts {
		ready = ready && s.Ready
	}
	return ready, maps.Clone(h.parts)
}

// live answers that the process runs. It asks no dependency: restarting us
// would not mend one.
func live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (h *Health) ready(w http.ResponseWriter, _ *http.Request) {
	ready, parts := h.Ready()
	code := http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]any{"ready": ready, "parts": parts})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client has gone; nobody is left to tell
}
