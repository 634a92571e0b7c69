// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
)

// Limit bounds a resource (see prlimit(1)) of one of the server's processes, and
// returns what lifts the limit. It is how a disk or memory that is full looks to
// that process.
func Limit(t TB, pid uint32, resource string, limit int64) (lift func()) {
	t.Helper()
	set := func(soft string) {
		t.Helper()
		cmd := exec.Command("prlimit", "--pid", strconv.FormatUint(uint64(pid), 10), "--"+resource+"="+soft+":") //nolint:gosec,noctx // a fixed program, and it ends by itself
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential()}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(fmt.Errorf("prlimit: %w: %s", err, out))
		}
	}
	set(strconv.FormatInt(limit, 10))
	return func() { set("unlimited") }
}
