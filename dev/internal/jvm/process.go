// SPDX-License-Identifier: Apache-2.0

package jvm

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed launch.sh
var launchScript string

// killGrace is how long Start waits for the lock of a program whose owner was
// killed a moment ago.
const killGrace = 3 * time.Second

// ErrRunning means that a program already runs in the folder.
var ErrRunning = errors.New("already runs")

// Program is a Java program to start.
type Program struct {
	Java   string   // from Find
	Args   []string // of java
	Dir    string   // exists, is the program's alone, becomes its working folder
	Output string   // file that gets standard output and error, at its end
	// Detach lets the program outlive this process; StopIn ends it.
	Detach bool
}

// Process is a program that was started.
type Process struct {
	cmd   *exec.Cmd
	owner *os.File // nil if detached
	done  chan struct{}
	err   error
}

// Start starts the program in a session of its own, so that a Ctrl-C in the
// terminal is not for it. Unless detached it dies when this process does, in any
// way. Two programs cannot run in one folder: the second gets ErrRunning.
func Start(ctx context.Context, program Program) (*Process, error) {
	lock, err := reserve(ctx, program.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }() // the program has it now
	output, err := os.OpenFile(program.Output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }()

	life := "attached"
	if program.Detach {
		life = "detached"
	}
	args := append([]string{"-c", launchScript, "hookstream-launch", life, program.Java}, program.Args...)
	//nolint:noctx // the program outlives the context of its start; its arguments are ours
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = program.Dir
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return launch(cmd, program.Detach)
}

func launch(cmd *exec.Cmd, detach bool) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if !detach {
		watched, owner, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer func() { _ = watched.Close() }()
		cmd.Stdin, p.owner = watched, owner
	}
	if err := cmd.Start(); err != nil {
		if p.owner != nil {
			_ = p.owner.Close()
		}
		return nil, err
	}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	defer close(p.done)
	p.err = p.cmd.Wait()
	if p.owner != nil {
		_, _ = p.owner.WriteString("ended\n") // see launch.sh; it may be gone too
		_ = p.owner.Close()
	}
}

// Pid is the process id of the program.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends the signal; os.ErrProcessDone if the program has ended.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the program ended, nil for exit status 0; read after Done.
func (p *Process) Err() error { return p.err }

// reserve takes the lock that says that a program runs in the folder.
func reserve(ctx context.Context, dir string) (*os.File, error) {
	waiting, cancel := context.WithTimeout(ctx, killGrace)
	defer cancel()
	lock, err := Lock(waiting, pidFile(dir))
	if err != nil {
		if pid, running, _ := Running(dir); running && ctx.Err() == nil {
			return nil, fmt.Errorf("process %d in %s %w", pid, dir, ErrRunning)
		}
		return nil, err
	}
	if err := lock.Truncate(0); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

func pidFile(dir string) string { return filepath.Join(dir, "pid") }

// Running reports whether a program runs in the folder, whoever started it. The
// process id is 0 in the first moments.
func Running(dir string) (pid int, running bool, err error) {
	file, err := os.Open(pidFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = file.Close() }()
	// Shared, so that who only asks is not taken for a program.
	free, err := tryLock(file, syscall.LOCK_SH)
	if err != nil || free {
		return 0, false, err
	}
	content, err := os.ReadFile(pidFile(dir))
	if err != nil {
		return 0, false, err
	}
	pid, _ = strconv.Atoi(strings.TrimSpace(string(content))) // empty in the first moments
	return pid, true, nil
}

// StopIn ends the program that runs in the folder, whoever started it: SIGTERM,
// and SIGKILL after grace or when ctx ends. It returns when the program is gone;
// at once if there is none.
func StopIn(ctx context.Context, dir string, grace time.Duration) error {
	asking, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if ended, err := signalUntilGone(asking, dir, syscall.SIGTERM); ended || err != nil {
		return err
	}
	// A killed process is gone as soon as the kernel has freed its memory.
	killing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*killGrace)
	defer cancel()
	ended, err := signalUntilGone(killing, dir, syscall.SIGKILL)
	if err == nil && !ended {
		err = fmt.Errorf("the program in %s does not end by SIGKILL", dir)
	}
	return err
}

// signalUntilGone sends the signal once and waits, until ctx ends, for the
// program to end.
func signalUntilGone(ctx context.Context, dir string, signal syscall.Signal) (bool, error) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	sent := false
	for {
		pid, running, err := Running(dir)
		if err != nil || !running {
			return err == nil, err
		}
		if pid != 0 && !sent {
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return false, fmt.Errorf("signal process %d in %s: %w", pid, dir, err)
			}
			_ = syscall.Kill(pid, syscall.SIGCONT) // a paused one would never hear the first
			sent = true
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Tail is the last lines of the program's output file, to explain its end.
func Tail(output string, lines int) string {
	content, err := os.ReadFile(output)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(slices.Clip(all[max(0, len(all)-lines):]), "; ")
}

// environment is what a JVM needs of ours and no more: JAVA_TOOL_OPTIONS and
// KAFKA_* would change the program, others may be secrets.
func environment() []string {
	env := []string{"LC_ALL=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
