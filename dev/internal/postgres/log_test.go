// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestServerLog(t *testing.T) {
	var out bytes.Buffer
	log := &serverLog{logger: slog.New(slog.NewTextHandler(&out, nil))}
	write := func(text string) {
		if n, err := log.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("Write() = %d, %v; want %d, nil", n, err, len(text))
		}
	}
	write("LOG:  rea")
	write("dy\nPANIC:  disk full\n" + strings.Repeat("x", 3*maxLineBytes))
	write("yyy\n")
	want := []string{"LOG:  ready", "PANIC:  disk full", strings.Repeat("x", maxLineBytes)}
	if got := log.tail; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("tail = %q, want %q", got, want)
	}
	if got := out.String(); strings.Contains(got, "ready") || !strings.Contains(got, `level=ERROR msg="PANIC:  disk full"`) {
		t.Errorf("at info level the log has %q, want only the panic", got)
	}
	for i := range 3 * tailLines {
		write(fmt.Sprintf("line %d\n", i))
	}
	if len(log.tail) != tailLines || log.tail[tailLines-1] != fmt.Sprintf("line %d", 3*tailLines-1) {
		t.Errorf("tail = %q, want the last %d lines", log.tail, tailLines)
	}
}
