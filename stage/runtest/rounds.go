// SPDX-License-Identifier: Apache-2.0

package runtest

import (
	"os"
	"strconv"
	"testing" //nolint:depguard // only tests import this package
)

// Rounds runs a benchmark as often as HOOKSTREAM_BENCH_ROUNDS says, by default
// once: for benchmarks whose preparation takes longer than they do.
func Rounds(b *testing.B, name string, run func(*testing.B)) {
	b.Helper()
	n, _ := strconv.Atoi(os.Getenv("HOOKSTREAM_BENCH_ROUNDS")) // 0 if it is not set
	for range max(1, n) {
		b.Run(name, run)
	}
}
