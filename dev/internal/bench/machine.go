// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes this machine in words, as far as it matters to a ratio.
func Machine() string {
	cores := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := processor(); model != "" {
		cores += " of " + model
	}
	return fmt.Sprintf("%s, GOMAXPROCS %d, %s, %s/%s", cores, runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// processor is the model's name where Linux tells it.
func processor() string {
	data, _ := os.ReadFile("/proc/cpuinfo") // elsewhere there is none
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
