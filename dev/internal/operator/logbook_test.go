// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/hookstream/hookstream/stage/tracing"
)

// logbook keeps what the services log.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logbook) logger() *slog.Logger {
	return slog.New(tracing.LogHandler(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// Write implements io.Writer.
func (b *logbook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// judge looks whether each line about the webhook has its ids, and none what is
// in its payload.
func (b *logbook) judge(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	about := 0
	for line := range bytes.Lines(b.text.Bytes()) {
		if bytes.Contains(line, []byte(storySecret)) {
			t.Errorf("a line holds what is in the payload: %s", line)
		}
		if !bytes.Contains(line, []byte(storyEvent)) {
			continue
		}
		about++
		var said map[string]any
		if err := json.Unmarshal(line, &said); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"event_id": storyEvent, "correlation_id": storyCorrelation, "provider": "stripe", "tenant": "default"} {
			if said[key] != want {
				t.Errorf("%s=%v, want %s: %s", key, said[key], want, line)
			}
		}
		if said["trace_id"] == nil {
			t.Errorf("no trace_id: %s", line)
		}
	}
	if about == 0 {
		t.Error("no line is about the webhook")
	}
}
