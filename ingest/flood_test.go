// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A flood needs a process of its own: both ends of ten thousand connections are
// more files than one process may have open.
const (
	floodAddress     = "HOOKSTREAM_TEST_FLOOD_ADDRESS"
	floodConnections = "HOOKSTREAM_TEST_FLOOD_CONNECTIONS"
)

// flood starts a process that keeps n idle and slow connections to the address
// open until the test ends, and returns once all are.
func flood(t *testing.T, address string, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), floodAddress+"="+address, floodConnections+"="+strconv.Itoa(n))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the flood did not rise: %q, %v", line, err)
	}
}

// runFlood is the process. Every connection that is closed is opened again.
func runFlood(address string, connections int) int {
	var open atomic.Int64
	var once sync.Once
	for i := range connections {
		go func() {
			for {
				conn, err := net.DialTimeout("tcp", address, 10*time.Second)
				if err != nil {
					time.Sleep(time.Second)
					continue
				}
				if open.Add(1) == int64(connections) {
					once.Do(func() { fmt.Println("open") })
				}
				annoy(conn, i%4)
				conn.Close()
				open.Add(-1)
				time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			}
		}()
	}
	time.Sleep(5 * time.Minute) // longer than any test: it is killed
	return 1
}

// annoy holds a connection as long as the server lets it.
func annoy(conn net.Conn, how int) {
	const body = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
	switch how {
	case 0: // says nothing
		_, _ = io.Copy(io.Discard, conn)
	case 1: // one header after the other
		dribble(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n", "X-Y: z\r\n")
	case 2: // announces a large body and sends it byte by byte
		dribble(conn, body, "x")
	case 3: // sends enough to be held, and then nothing
		_, _ = io.WriteString(conn, body+strings.Repeat("x", 10<<10))
		_, _ = io.Copy(io.Discard, conn)
	}
}

func dribble(conn net.Conn, begin, more string) {
	_, err := io.WriteString(conn, begin)
	for err == nil {
		time.Sleep(time.Second)
		_, err = io.WriteString(conn, more)
	}
}
