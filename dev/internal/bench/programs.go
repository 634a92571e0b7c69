// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hookstream/hookstream/dev/internal/ports"
)

// services in the order in which they are started: each finds what the one before
// it has made.
var services = []string{"ingest", "transform", "sink"}

// program is a service as it is shipped, in a process of its own.
type program struct {
	name string
	cmd  *exec.Cmd
	// admin is the URL of the listener for operators, address that for webhooks.
	admin, address string
	// size of the file in bytes, and the time from its start until it was ready.
	size  int64
	ready time.Duration
}

// launch starts a service with its settings and waits until it is ready.
func launch(ctx context.Context, file string, settings []string, stderr io.Writer) (*program, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	var picker ports.Picker
	admin, adminErr := picker.Pick(0)
	hooks, hooksErr := picker.Pick(0)
	picker.Release()
	if err := errors.Join(adminErr, hooksErr); err != nil {
		return nil, err
	}
	p := &program{name: filepath.Base(file), size: info.Size(), admin: "http://" + ports.Address(admin), address: ports.Address(hooks)}
	p.cmd = exec.Command(file) //nolint:noctx // built a moment ago; it is stopped by stop, in order
	p.cmd.Env = append(append(os.Environ(), settings...), "HOOKSTREAM_ADMIN_ADDRESS="+ports.Address(admin), "HOOKSTREAM_ADDRESS="+p.address)
	p.cmd.Stderr = stderr
	started := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := awaitReady(ctx, p.admin); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), p.stop())
	}
	p.ready = time.Since(started)
	return p, nil
}

const (
	readyTimeout = 30 * time.Second
	readyEvery   = 5 * time.Millisecond
)

// awaitReady asks a service until it says that it is ready.
func awaitReady(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil { // else it does not listen yet
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := sleep(ctx, readyEvery); err != nil {
			return fmt.Errorf("does not become ready: %w", err)
		}
	}
}

// stop drains the service and waits for its end.
func (p *program) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	timer := time.AfterFunc(drainTime, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// metrics of a service's /metrics that have no labels, by name.
func (p *program) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out := map[string]float64{}
	s := bufio.NewScanner(res.Body)
	for s.Scan() {
		name, value, _ := strings.Cut(s.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, s.Err()
}
