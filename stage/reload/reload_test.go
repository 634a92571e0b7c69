// SPDX-License-Identifier: Apache-2.0

package reload_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/reload"
)

// world is a file, a source that follows it, and what that says.
type world struct {
	t      *testing.T
	file   string
	source *reload.Source[string]
	loads  int
	logged bytes.Buffer
	reason string
}

func newWorld(t *testing.T, every time.Duration) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "words")}
	w.write("one")
	var err error
	w.source, err = reload.New(reload.Config[string]{
		Name: "words", Every: every, Log: slog.New(slog.NewTextHandler(&w.logged, nil)),
		Fingerprint: func() (reload.Fingerprint, error) { return reload.Files(w.file) },
		Load:        w.load,
		Attributes:  func(v string) []slog.Attr { return []slog.Attr{slog.String("word", v)} },
		Status:      func(_ bool, reason string) { w.reason = reason },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) load(string) (string, error) {
	w.loads++
	text, err := os.ReadFile(w.file)
	if strings.HasPrefix(string(text), "wrong") {
		err = errors.New("no word: " + string(text))
	}
	return string(text), err
}

func (w *world) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file+".next", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.file+".next", w.file); err != nil {
		w.t.Fatal(err)
	}
}

// look looks n times and expects a value, how often the file was loaded, a log
// line where there is one, and whether the status has a reason.
func (w *world) look(step string, n int, want string, loads int, logged string, refused bool) {
	w.t.Helper()
	w.loads = 0
	w.logged.Reset()
	for range n {
		w.source.Look(w.t.Context())
	}
	if got := w.source.Value(); got != want || w.loads != loads {
		w.t.Errorf("%s: %q is in force after %d loads, want %q after %d", step, got, w.loads, want, loads)
	}
	if text := w.logged.String(); strings.Count(text, "\n") > 1 || !strings.Contains(text, logged) || logged == "" && text != "" {
		w.t.Errorf("%s: logged %q, want one line with %q", step, text, logged)
	}
	if (w.reason != "") != refused {
		w.t.Errorf("%s: the status says %q", step, w.reason)
	}
}

func TestSourceKeepsTheLastGoodValue(t *testing.T) {
	w := newWorld(t, 0)
	w.look("unchanged", 3, "one", 0, "", false)
	w.write("two")
	w.look("changed", 3, "two", 1, "word=two", false)
	w.write("wrong")
	w.look("wrong, perhaps half written", 1, "two", 1, "", false)
	w.look("wrong still", 5, "two", 1, "no word: wrong", true)
	w.write("wrong too")
	w.look("wrong otherwise", 5, "two", 2, "no word: wrong too", true)
	w.write("two")
	w.look("taken back", 2, "two", 0, "", false)
	w.write("wrong")
	w.look("the same again", 5, "two", 2, "no word: wrong", true)
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	w.look("away", 5, "two", 0, w.file, true)
	w.write("three")
	w.look("corrected", 3, "three", 1, "word=three", false)
}

func TestRunNoticesAChange(t *testing.T) {
	w := newWorld(t, time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.source.Run(ctx) }()
	w.write("two")
	for deadline := time.Now().Add(10 * time.Second); w.source.Value() != "two"; {
		if time.Now().After(deadline) {
			t.Fatal("the change was not noticed")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestFingerprintFollowsContentsThroughLinks(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	point := func(version string) {
		t.Helper()
		if err := errors.Join(os.Symlink(version, filepath.Join(dir, "next")), os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "mounted"))); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[reload.Fingerprint]string{}
	expect := func(step, same string) {
		t.Helper()
		print, err := reload.Folder(filepath.Join(dir, "mounted"), "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if got, known := seen[print]; known != (same != "") || got != same {
			t.Errorf("%s: the fingerprint is the one of %q, want %q", step, got, same)
		}
		seen[print] = step
	}
	put("v1/a.yaml", "ab")
	put("v2/a.yaml", "a")
	put("v2/b.yaml", "b")
	point("v1")
	expect("one file", "")
	point("v2")
	expect("the same text in two", "")
	point("v1")
	put("v1/notes.txt", "none of its business")
	expect("back", "one file")
	put("v1/a.yaml", strings.Repeat("x", 1<<20+1))
	if _, err := reload.Folder(filepath.Join(dir, "mounted"), "*.yaml"); err == nil || !strings.Contains(err.Error(), "a.yaml is larger") {
		t.Errorf("a large file gives %v", err)
	}
	if _, err := reload.Folder(filepath.Join(dir, "missing"), "*.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder gives %v", err)
	}
}
