// SPDX-License-Identifier: Apache-2.0

package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/golden"
)

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.failures += fmt.Sprintf(format, args...) }

func TestCheckShowsTheFirstDifference(t *testing.T) {
	if golden.Update() {
		t.Skip("it would write what is wrong")
	}
	file := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for made, want := range map[string]string{
		"one\ntwo\n": "", "one\ntoo\n": "- two\n+ too", "one\n": "- two\n+ ", "one\ntwo\nthree\n": "- \n+ three",
	} {
		r := &recorder{TB: t}
		golden.Check(r, file, []byte(made))
		if !strings.HasSuffix(r.failures, want) || (r.failures == "") != (want == "") {
			t.Errorf("%q gives %q, want %q", made, r.failures, want)
		}
	}
}
