// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries are what benchmarks run besides this program. Each is compiled when it
// is needed first, and serves all passes.
type binaries struct {
	dir  string
	made map[string]bool
}

func newBinaries() (*binaries, error) {
	dir, err := os.MkdirTemp("", "hookstream-bench-")
	if err != nil {
		return nil, err
	}
	return &binaries{dir: dir, made: map[string]bool{}}, nil
}

func (b *binaries) remove() error { return os.RemoveAll(b.dir) }

// services compiles the services as make build does, and returns their folder.
func (b *binaries) services(ctx context.Context) (dir string, err error) {
	dir = filepath.Join(b.dir, "services") + string(filepath.Separator)
	args := []string{"build", "-trimpath", "-o", dir}
	for _, name := range services {
		args = append(args, "./"+name+"/cmd/"+name)
	}
	return dir, b.compile(ctx, dir, []string{"CGO_ENABLED=0"}, args)
}

// tests compiles the tests of a package.
func (b *binaries) tests(ctx context.Context, pkg string) (file string, err error) {
	file = filepath.Join(b.dir, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-")+".test")
	return file, b.compile(ctx, file, nil, []string{"test", "-c", "-o", file, pkg})
}

func (b *binaries) compile(ctx context.Context, output string, env, args []string) error {
	if b.made[output] {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	b.made[output] = true
	return nil
}
