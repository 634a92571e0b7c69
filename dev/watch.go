// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/term"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/status"
)

const (
	liveInterval  = 500 * time.Millisecond
	plainInterval = 5 * time.Second
	// windowLength is how many intervals the rate looks back.
	windowLength = 10
)

// watch prints the status line: in place on a terminal, a line now and then
// elsewhere.
func watch(ctx context.Context, s *stack.Stack, log *slog.Logger) error {
	observer, err := status.Observe(ctx, source(s, log))
	if err != nil {
		return err
	}
	defer observer.Close(ctx)
	out := lineWriter{w: os.Stdout}
	interval := plainInterval
	if terminal(os.Stdout) {
		interval, out.width = liveInterval, widthOf(os.Stdout)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	first, err := observer.Snapshot(ctx)
	if err != nil {
		return err
	}
	window := []*status.Snapshot{first}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now, err := observer.Snapshot(ctx)
		if ctx.Err() != nil {
			return nil // nobody had the time to answer
		}
		if err != nil {
			return err
		}
		if window = append(window, now); len(window) > windowLength {
			window = window[1:]
		}
		out.show(func(width int) string { return status.Line(window[0], now, width) })
	}
}

func source(s *stack.Stack, log *slog.Logger) status.Source {
	src := status.Source{
		Gatherer: prometheus.DefaultGatherer, Kafka: &s.Kafka, Admin: s.Admin(), Database: s.Database, Log: log,
		Transform: status.Consumer{Group: s.Group, Topics: []string{s.Kafka.Topics.Raw}},
		Sink:      status.Consumer{Group: s.SinkGroup, Topics: s.SinkTopics()},
	}
	for _, name := range services(s) {
		src.Services = append(src.Services, status.Service{Name: name, URL: s.AdminURL(name)})
	}
	return src
}

// lineWriter writes a line over the one before, or below it where width is nil.
type lineWriter struct {
	w     io.Writer
	width func() int
	// before is how long the line is that stands there.
	before int
}

func (l *lineWriter) show(line func(width int) string) {
	if l.width == nil {
		fmt.Fprintln(l.w, line(0))
		return
	}
	width := l.width()
	text := line(width - 1) // the cursor stays beside it
	// A terminal that became narrower has broken the line before into several.
	up := max(0, l.before-1) / width
	fmt.Fprint(l.w, "\r"+strings.Repeat("\x1b[A", up)+"\x1b[J"+text)
	l.before = utf8.RuneCountInString(text)
}

// fallbackWidth is for terminals that do not tell theirs.
const fallbackWidth = 80

func widthOf(f *os.File) func() int {
	return func() int {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
			return width
		}
		return fallbackWidth
	}
}
