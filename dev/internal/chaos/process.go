// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/hookstream/hookstream/stage/crash"
)

// instance is one process of a service. It is started again under the same name
// and environment after it died.
type instance struct {
	role, name string
	program    string
	env        []string
	log        io.Writer

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs the program, armed with a crash point unless that is "".
func (i *instance) start(armed string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	cmd := exec.Command(i.program) //nolint:noctx // it is killed by name, and with us
	cmd.Env = append(i.env[:len(i.env):len(i.env)], crash.Variable+"="+armed)
	cmd.Stdout, cmd.Stderr = i.log, i.log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", i.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is the fault's affair
		close(done)
	}()
	i.cmd, i.done = cmd, done
	return nil
}

// ended is closed when the process that runs now has ended.
func (i *instance) ended() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.done
}

func (i *instance) signal(s syscall.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.cmd.Process.Signal(s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", i.name, err)
	}
	return nil
}

// kill ends the process as a power cut would.
func (i *instance) kill() {
	_ = i.signal(syscall.SIGKILL) // it may be dead already
	<-i.ended()
}

// stop asks the process to drain, and kills it when that takes too long.
func (i *instance) stop(patience time.Duration) error {
	_ = i.signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-i.ended():
		return nil
	case <-timer.C:
		i.kill()
		return fmt.Errorf("%s did not drain within %s", i.name, patience)
	}
}
