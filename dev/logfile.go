// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// logDir is where each run has its log, unless it was told a file.
func logDir() string { return os.TempDir() }

// The names there: of a run's log, which sort by time, and of the link to the
// newest.
const (
	logPattern = "hookstream-*-*.log"
	logLink    = "hookstream.log"
	// keptLogs is how many runs' logs are left.
	keptLogs = 20
)

// openLog opens the log, whose name LogFile is from then on.
func (p *parts) openLog() (io.WriteCloser, error) {
	switch p.LogFile {
	case "-":
		return os.Stderr, nil
	case "":
		f, err := newLog(logDir(), time.Now())
		if err == nil {
			p.LogFile = f.Name()
		}
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(p.LogFile), 0o750); err != nil {
		return nil, err
	}
	return os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// newLog makes a file of this run's own: of two runs at once, one file would tell
// nothing about either.
func newLog(dir string, now time.Time) (*os.File, error) {
	name := fmt.Sprintf("hookstream-%s-%d.log", now.UTC().Format("20060102T150405"), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	linkLog(dir, name)
	forgetLogs(dir)
	return f, nil
}

// linkLog leads the stable name to a run's log. It is a convenience: where another
// user has taken the name there is none.
func linkLog(dir, name string) {
	fresh := filepath.Join(dir, name+".link")
	if os.Symlink(name, fresh) == nil && os.Rename(fresh, filepath.Join(dir, logLink)) != nil {
		_ = os.Remove(fresh)
	}
}

// forgetLogs removes the oldest logs. What cannot be removed is another user's.
func forgetLogs(dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, logPattern)) // the pattern is sound
	slices.Sort(logs)
	for _, old := range logs[:max(0, len(logs)-keptLogs)] {
		_ = os.Remove(old)
	}
}
