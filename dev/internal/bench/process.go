// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a server in a process of its own: this program, started with the
// command that calls Serve. It answers each line on its standard input with its
// usage, and ends when the input does, so it never outlives this process.
type process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	address string
}

// hello is the first line of a process's output.
type hello struct {
	Address string `json:"address"`
}

// spawn starts a server and waits until it is ready.
func (r *Run) spawn(ctx context.Context, name string, args ...string) (*process, error) {
	return r.spawnIn(ctx, nil, name, args...)
}

// spawnIn is spawn with more environment variables.
func (r *Run) spawnIn(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args = append([]string{"bench-server", name}, args...)
	if r.ProfileDir != "" {
		args = append(args, "--profile-dir", r.ProfileDir)
	}
	p := &process{name: name, cmd: exec.CommandContext(ctx, program, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = r.Progress
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(bufio.NewReader(out))
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var h hello
	if err := p.out.Decode(&h); err != nil {
		return nil, fmt.Errorf("%s did not start: %w", name, errors.Join(err, p.stop()))
	}
	p.address = h.Address
	return p, nil
}

// used asks the process for its usage.
func (p *process) used() (usage, error) {
	var u usage
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return u, fmt.Errorf("%s has ended: %w", p.name, err)
	}
	if err := p.out.Decode(&u); err != nil {
		return u, fmt.Errorf("%s has ended: %w", p.name, err)
	}
	return u, nil
}

// drainTime is how long a process may take to end by itself.
const drainTime = 20 * time.Second

func (p *process) stop() error {
	_ = p.in.Close() // it may have ended
	timer := time.AfterFunc(drainTime, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
