// SPDX-License-Identifier: Apache-2.0

package jvm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// script writes an executable into the folder.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func fakeJava(t *testing.T, dir, version string) string {
	t.Helper()
	return script(t, dir, "java", "echo '    java.specification.version = "+version+"' >&2")
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	eight := fakeJava(t, filepath.Join(root, "8", "bin"), "1.8")
	seventeen := fakeJava(t, filepath.Join(root, "17", "bin"), "17")
	twentyFive := fakeJava(t, filepath.Join(root, "25", "bin"), "25")
	stub := script(t, filepath.Join(root, "stub", "bin"), "java", "exit 1") // macOS without Java
	usual := installations
	t.Cleanup(func() { installations = usual })

	for name, test := range map[string]struct {
		home, path    string
		installations []string
		atLeast       int
		want          string
	}{
		"JAVA_HOME first":         {home: twentyFive, path: seventeen, atLeast: 17, want: twentyFive},
		"too old in JAVA_HOME":    {home: eight, path: seventeen, atLeast: 17, want: seventeen},
		"too old in PATH":         {path: seventeen, installations: []string{filepath.Join(root, "*/bin/java")}, atLeast: 21, want: twentyFive},
		"stub in PATH":            {path: stub, installations: []string{seventeen}, atLeast: 17, want: seventeen},
		"nothing is new enough":   {home: eight, path: seventeen, atLeast: 21},
		"nothing is there at all": {atLeast: 17},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("JAVA_HOME", "")
			if test.home != "" {
				t.Setenv("JAVA_HOME", filepath.Dir(filepath.Dir(test.home)))
			}
			t.Setenv("PATH", filepath.Dir(test.path))
			installations = test.installations
			got, err := Find(testContext(t), test.atLeast)
			if got != test.want || errors.Is(err, ErrMissing) != (test.want == "") {
				t.Fatalf("Find() = %q, %v; want %q", got, err, test.want)
			}
			if advice := fmt.Sprintf("apt-get install openjdk-%d-jre-headless", test.atLeast); err != nil && !strings.Contains(err.Error(), advice) {
				t.Errorf("error %q does not say %q", err, advice)
			}
		})
	}
}

func TestArtifactsAreFetchedOnce(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	runs := filepath.Join(bin, "runs")
	script(t, bin, "mvn", `
echo run >>`+runs+`
for arg in "$@"; do case $arg in -Doutput=*) mkdir "${arg#-Doutput=}"; cp pom.xml "${arg#-Doutput=}/it.jar" ;; esac; done`)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	log := slog.New(slog.DiscardHandler)

	var dirs [4]string
	var asking sync.WaitGroup
	for i := range dirs {
		asking.Go(func() {
			var err error
			if dirs[i], err = Artifacts(testContext(t), cache, "it", []byte("version 1"), log); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	for _, dir := range dirs {
		if content, err := os.ReadFile(filepath.Join(dir, "it.jar")); err != nil || string(content) != "version 1" {
			t.Errorf("in %s: %q, %v", dir, content, err)
		}
	}
	other, err := Artifacts(testContext(t), cache, "it", []byte("version 2"), log)
	if err != nil || other == dirs[0] {
		t.Errorf("another version is in %s, %v", other, err)
	}
	if content, err := os.ReadFile(runs); err != nil || strings.Count(string(content), "run") != 2 {
		t.Errorf("Maven's runs: %q, %v; want one a version", content, err)
	}
}

func TestFailedFetchLeavesNothing(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	log := slog.New(slog.DiscardHandler)
	if _, err := Artifacts(testContext(t), cache, "it", nil, log); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install maven") {
		t.Errorf("without Maven: %v, want what to install", err)
	}
	script(t, bin, "mvn", "echo '[ERROR] could not resolve'; exit 1")
	if _, err := Artifacts(testContext(t), cache, "it", nil, log); err == nil || !strings.Contains(err.Error(), "could not resolve") {
		t.Errorf("Maven fails: %v, want what it said", err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "it-*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
		t.Errorf("left in the cache: %v, %v; want the lock only", left, err)
	}
}

func start(t *testing.T, dir, shell string) *Process {
	t.Helper()
	p, err := Start(testContext(t), Program{Java: "/bin/sh", Args: []string{"-c", shell}, Dir: dir, Output: filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Signal(os.Kill)
		<-p.Done()
	})
	return p
}

func TestOneProgramInAFolder(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir, "echo begun; exec sleep 60")
	_, err := Start(testContext(t), Program{Java: "/bin/sh", Dir: dir, Output: filepath.Join(dir, "out")})
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprint(first.Pid())) {
		t.Errorf("second Start() = %v, want ErrRunning and process %d", err, first.Pid())
	}
	if pid, running, err := Running(dir); pid != first.Pid() || !running || err != nil {
		t.Errorf("Running() = %d, %t, %v; want process %d", pid, running, err, first.Pid())
	}
	if err := StopIn(testContext(t), dir, time.Minute); err != nil {
		t.Fatal(err)
	}
	<-first.Done()
	if _, running, err := Running(dir); running || err != nil {
		t.Errorf("running %t, %v after StopIn", running, err)
	}
	if got := Tail(filepath.Join(dir, "out"), 3); got != "begun" {
		t.Errorf("output = %q", got)
	}
	start(t, dir, "exit 0")
}

func TestStopInKillsWhatDoesNotHear(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	ctx := testContext(t)
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for Tail(filepath.Join(dir, "out"), 1) != "deaf" { // until the trap is set
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal("the program does not begin")
		}
	}
	if err := StopIn(testContext(t), dir, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err() = %v, want killed", err)
	}
}

func TestStopInAFolderWithoutProgram(t *testing.T) {
	if err := StopIn(testContext(t), t.TempDir(), time.Minute); err != nil {
		t.Error(err)
	}
}
