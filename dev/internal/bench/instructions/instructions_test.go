// SPDX-License-Identifier: Apache-2.0

package instructions

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const benchmark = "BenchmarkX/a=1 \t    1000\t    595073 ns/op\n"
	n, err := parse([]byte("==1== Events    : Ir\n" + benchmark + "PASS\n==1== Collected : 350618565\n==1==\n"))
	if err != nil || n != 350618565 {
		t.Errorf("got %v, %v", n, err)
	}
	for _, out := range []string{benchmark, "==1== Collected : 350618565\n"} {
		if _, err := parse([]byte(out)); err == nil {
			t.Errorf("%q was taken", out)
		}
	}
}

var two = []Path{{Name: "a"}, {Name: "b"}}

func TestRisen(t *testing.T) {
	b := Baseline{Platform(): {"a": 1000}, "go1.0 plan9/vax": {"b": 1}}
	for now, want := range map[float64]bool{900: false, 1029: false, 1031: true} {
		if got := b.Risen(two, Counts{"a": now, "b": 5000}); (len(got) == 1) != want {
			t.Errorf("%v instructions, was 1000: risen are %v", now, got)
		}
	}
	if got := (Baseline{}).Risen(two, Counts{"a": 5}); got != nil {
		t.Errorf("without a baseline, risen are %v", got)
	}
}

func TestBaselineIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	b, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	b["another"] = Counts{"a": 7}
	for _, now := range []Counts{{"a": 1.6, "b": 3}, {"b": 4}} {
		if err := b.Save(file, now); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(file)
	if want := (Baseline{"another": {"a": 7}, Platform(): {"a": 2, "b": 4}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := os.WriteFile(file, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil {
		t.Error("a file of something else was read")
	}
}

func TestWrite(t *testing.T) {
	var out strings.Builder
	if err := (Baseline{Platform(): {"a": 1000}}).Write(&out, two, Counts{"a": 1100, "b": 7}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "1000         1100   +10.0%  ROSE\n") || strings.Contains(out.String(), "no baseline") {
		t.Errorf("got %s", &out)
	}
	out.Reset()
	if err := (Baseline{"go1.0 plan9/vax": {"a": 1}}).Write(&out, two, Counts{"a": 1100}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "There is no baseline for "+Platform()) {
		t.Errorf("got %s", &out)
	}
}

// TestPathsAreThere: a benchmark that was renamed would be guarded no longer.
func TestPathsAreThere(t *testing.T) {
	const root = "../../../.."
	for _, p := range Paths {
		function, _, _ := strings.Cut(strings.TrimPrefix(p.Benchmark, "^"), "$")
		files, err := filepath.Glob(filepath.Join(root, p.Package, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || regexp.MustCompile(`(?m)^func `+function+`\(b \*testing\.B\)`).Match(data)
		}
		if !found {
			t.Errorf("%s: %s has no %s", p.Name, p.Package, function)
		}
	}
}
