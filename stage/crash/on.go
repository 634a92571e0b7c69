// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	armed, pass = parse(os.Getenv(Variable))
	passes      atomic.Int64
)

func parse(s string) (Point, int64) {
	name, n, ok := strings.Cut(s, "@")
	if !ok {
		return Point(name), 1
	}
	pass, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s=%q: %v", Variable, s, err))
	}
	return Point(name), pass
}

// At kills the process, with no chance to clean up, when it is the armed
// point's turn.
func At(p Point) {
	if p == armed && passes.Add(1) == pass {
		fmt.Fprintf(os.Stderr, "crash point %s, pass %d\n", p, pass)
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // not a step further
	}
}

var bug = Bug(os.Getenv(SabotageVariable))

// Has reports whether the process is to make this mistake.
func Has(b Bug) bool { return b == bug }
