// SPDX-License-Identifier: Apache-2.0

// Package golden compares what tests make with files that are kept: documents that
// are generated, and formats that others rely on. With the flag -update the files
// are written anew, for the change to be read in the diff.
package golden

import (
	"bytes"
	"flag"
	"os"
	"testing" //nolint:depguard // only tests import this package
)

var update = flag.Bool("update", false, "write the files that tests compare with anew")

// Update reports whether files are to be written, for tests that do so themselves.
func Update() bool { return *update }

// Check compares what was made with a file.
func Check(t testing.TB, file string, made []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, made, 0o644); err != nil { //nolint:gosec // it is committed, for all to read
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Errorf("%s differs; write it with -update if that is right (make docs writes all documents)\n%s", file, difference(kept, made))
	}
}

// difference is the first line that differs.
func difference(kept, made []byte) []byte {
	a, b := bytes.SplitAfter(kept, []byte("\n")), bytes.SplitAfter(made, []byte("\n"))
	i := 0
	for i < len(a) && i < len(b) && bytes.Equal(a[i], b[i]) {
		i++
	}
	lineOf := func(lines [][]byte) []byte {
		if i < len(lines) {
			return bytes.TrimSuffix(lines[i], []byte("\n"))
		}
		return []byte("(its end)")
	}
	return bytes.Join([][]byte{[]byte("- "), lineOf(a), []byte("\n+ "), lineOf(b)}, nil)
}
