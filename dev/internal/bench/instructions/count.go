// SPDX-License-Identifier: Apache-2.0

package instructions

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Counts are the instructions that one run of each path takes, by its name.
type Counts map[string]float64

// Platform is what counts depend on: the compiler and the architecture. Valgrind
// is the processor, so that which one is beneath matters little.
func Platform() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

// Count compiles the tests of each path's package and counts. It runs in the
// repository's folder.
func Count(ctx context.Context, paths []Path) (Counts, error) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		return nil, fmt.Errorf("valgrind was not found, which counts instructions: install it (Debian: apt install valgrind)")
	}
	dir, err := os.MkdirTemp("", "hookstream-instructions-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	each := make([]float64, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i, p := range paths {
		g.Go(func() (err error) {
			each[i], err = p.count(ctx, filepath.Join(dir, fmt.Sprintf("%d.test", i)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := Counts{}
	for i, p := range paths {
		out[p.Name] = each[i]
	}
	return out, nil
}

// startShare is the part of its times that a path runs in the shorter of two
// runs. What both have in common, the start and what is done once, cancels.
const startShare = 10

func (p *Path) count(ctx context.Context, binary string) (float64, error) {
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, p.Package)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(build.Args, " "), err, out)
	}
	short, err := p.run(ctx, binary, p.Times/startShare)
	if err != nil {
		return 0, err
	}
	long, err := p.run(ctx, binary, p.Times)
	if err != nil {
		return 0, err
	}
	return (long - short) / float64(p.Times-p.Times/startShare), nil
}

// run counts the instructions of a whole run. No garbage is collected and nothing
// is preempted: both depend on time.
func (p *Path) run(ctx context.Context, binary string, times int) (float64, error) {
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file="+os.DevNull, binary,
		"-test.run", "^$", "-test.bench", p.Benchmark, "-test.benchtime", strconv.Itoa(times)+"x", "-test.short")
	cmd.Dir = p.Package
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s in %s: %w\n%s", strings.Join(cmd.Args, " "), p.Package, err, out)
	}
	return parse(out)
}

var (
	ran       = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s`)
	collected = regexp.MustCompile(`(?m)^==\d+== Collected : (\d+)$`)
)

// parse finds the count in what the test and valgrind wrote.
func parse(out []byte) (float64, error) {
	m := collected.FindSubmatch(out)
	if m == nil || !ran.Match(out) {
		return 0, fmt.Errorf("no benchmark ran, or valgrind counted nothing:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
