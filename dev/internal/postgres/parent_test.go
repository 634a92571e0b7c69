// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/runtest"
)

const parentVariable = "HOOKSTREAM_TEST_POSTGRES_PARENT"

// TestMain lets the test binary also be the parent that the tests kill.
func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		beParent()
	}
	os.Exit(m.Run())
}

// beParent starts a server, prints its process id and folders, and never ends.
func beParent() {
	server, err := Start(context.Background(), Options{NoSync: true})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(server.postmaster(), server.dirs.data, server.dirs.sockets)
	select {}
}

// startParent runs beParent with a temporary folder of its own, and returns its
// process, its output and that folder.
func startParent(t *testing.T) (*exec.Cmd, *bufio.Reader, string) {
	t.Helper()
	temporary := publicDir(t)
	if err := os.Chmod(temporary, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"=1", "TMPDIR="+temporary)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Process.Kill() })
	return parent, bufio.NewReader(out), temporary
}

func kill(t *testing.T, parent *exec.Cmd) {
	t.Helper()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
}

func TestKilledParentLeavesNothing(t *testing.T) {
	parent, out, _ := startParent(t)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	var (
		postmaster    int
		data, sockets string
	)
	if _, err := fmt.Sscan(line, &postmaster, &data, &sockets); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if gone(postmaster) || missing(data) || missing(sockets) {
		t.Fatalf("no server before the kill: %q", line)
	}
	kill(t, parent)
	runtest.Eventually(t, "the postmaster is gone", func() bool { return gone(postmaster) })
	runtest.Eventually(t, "its folders are removed", func() bool { return missing(data) && missing(sockets) })
}

// The parent may die before the server listens to signals, or while initdb runs.
func TestParentKilledDuringStartLeavesNothing(t *testing.T) {
	for _, stage := range []string{"cluster.new", "cluster", "cluster/postmaster.pid"} {
		t.Run(strings.ReplaceAll(stage, "/", " "), func(t *testing.T) {
			parent, _, temporary := startParent(t)
			pattern := filepath.Join(temporary, "*", stage)
			runtest.Eventually(t, pattern+" exists", func() bool {
				matches, err := filepath.Glob(pattern)
				return err == nil && len(matches) == 1
			})
			kill(t, parent)
			// The supervisor removes the data after it has reaped the server.
			runtest.Eventually(t, "the data folder is removed", func() bool {
				left, err := os.ReadDir(temporary)
				return err == nil && len(left) == 0
			})
		})
	}
}
