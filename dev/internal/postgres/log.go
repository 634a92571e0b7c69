// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
)

const (
	tailLines    = 8
	maxLineBytes = 4 << 10
)

// serverLog passes the server's messages on, line by line, and keeps the last
// few, which explain an unexpected exit. It is written by one goroutine; tail
// may be read when that has ended.
type serverLog struct {
	logger *slog.Logger
	line   []byte
	tail   []string
}

// Write implements io.Writer and never fails: a log must not stop the server.
func (l *serverLog) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte("\n"))
		l.line = append(l.line, part[:min(len(part), maxLineBytes-len(l.line))]...)
		if ended {
			l.emit(string(l.line))
			l.line = l.line[:0]
		}
		p = rest
	}
	return n, nil
}

// emit logs at debug level, even FATAL: that is one connection's end ("the
// database system is starting up"), which its client is told. PANIC is ours.
func (l *serverLog) emit(line string) {
	level := slog.LevelDebug
	if strings.HasPrefix(line, "PANIC:") {
		level = slog.LevelError
	}
	l.logger.Log(context.Background(), level, line)
	if len(l.tail) == tailLines {
		l.tail = append(l.tail[:0], l.tail[1:]...)
	}
	l.tail = append(l.tail, line)
}
