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
// in its payload. The edge, which took it, and transform, which gave it up, must
// have said so, and transform in which transaction and attempt.
func (b *logbook) judge(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	about := map[string]map[string]any{}
	for line := range bytes.Lines(b.text.Bytes()) {
		if bytes.Contains(line, []byte(storySecret)) {
			t.Errorf("a line holds what is in the payload: %s", line)
		}
		if !bytes.Contains(line, []byte(storyEvent)) {
			continue
		}
		var said map[string]any
		if err := json.Unmarshal(line, &said); err != nil {
			t.Fatal(err)
		}
		message, _ := said["msg"].(string)
		about[message] = said
		for key, want := range map[string]string{"event_id": storyEvent, "correlation_id": storyCorrelation, "provider": "stripe", "tenant": "default"} {
			if said[key] != want {
				t.Errorf("%s=%v, want %s: %s", key, said[key], want, line)
			}
		}
		if said["trace_id"] == nil {
			t.Errorf("no trace_id: %s", line)
		}
	}
	if about["accepted"] == nil {
		t.Errorf("the edge says nothing of the webhook: %v", about)
	}
	if of := about["dead letter"]; of["transaction_id"] == nil || of["attempt"] != 1.0 {
		t.Errorf("transform gave the webhook up, and says %v", of)
	}
}
