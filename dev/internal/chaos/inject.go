// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
)

const (
	// pauseTime makes a zombie: the group gives the partitions to others.
	pauseTime = sessionTimeout + 2*time.Second
	// crashPatience is how long an armed instance may take to reach its point.
	crashPatience = 10 * time.Second
	// recoveryLimit is how long a fault may stop all progress.
	recoveryLimit = 2 * time.Minute
	// replayPatience bounds one run of the operators' tool.
	replayPatience = time.Minute
)

// inject works the schedule off, one fault at a time, each after the pipeline
// made progress again.
func (r *run) inject(ctx context.Context, schedule []Fault) error {
	if err := r.progressed(ctx, time.Now()); err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	for n, f := range schedule {
		r.Progress(fmt.Sprintf("fault %d of %d: %s", n+1, len(schedule), f))
		at, err := r.fault(ctx, f)
		if err != nil {
			return fmt.Errorf("fault %d, %s: %w", n+1, f, err)
		}
		r.struck[f.Kind]++
		if f.kills() {
			r.kills++
		}
		if err := r.progressed(ctx, at); err != nil {
			return fmt.Errorf("after fault %d, %s: %w", n+1, f, err)
		}
		r.recoveries = append(r.recoveries, time.Since(at))
	}
	return nil
}

// fault applies one fault and takes it back. It returns when it struck.
func (r *run) fault(ctx context.Context, f Fault) (at time.Time, err error) {
	switch f.Kind {
	case killProcess:
		return r.kill(f)
	case crashPoint:
		return r.crash(ctx, f)
	case pauseProcess:
		return r.pause(ctx, f)
	case scale:
		return r.scale(ctx, f)
	case crashReplay:
		return r.replay(ctx, f)
	case killBroker:
		at = time.Now()
		if err := r.in.cluster.Kill(f.Instance); err != nil {
			return at, err
		}
		if err := r.in.cluster.Restart(ctx, f.Instance); err != nil {
			return at, err
		}
		if r.Brokers > 1 {
			return at, r.in.cluster.AwaitInSync(ctx)
		}
		return at, nil
	case restartPostgres:
		return time.Now(), r.in.restartPostgres(ctx, r.Outage)
	case cutLink:
		at = time.Now()
		r.in.links[f.Target].cut()
		if err := failure.Sleep(ctx, r.Outage); err != nil {
			return at, err
		}
		return at, r.in.links[f.Target].mend()
	case slowLink:
		at = time.Now()
		if err := r.in.links[f.Target].slow(); err != nil {
			return at, err
		}
		defer r.in.links[f.Target].quicken(ctx)
		return at, failure.Sleep(ctx, r.Outage)
	case breakDefinition:
		return time.Now(), r.breakDefinition(ctx)
	case mendDefinition:
		return r.mendDefinition(ctx, f)
	}
	return at, fmt.Errorf("no fault is called %s", f.Kind)
}

func (r *run) instance(f Fault) *instance { return r.fleet.instances[f.Target][f.Instance] }

func (r *run) kill(f Fault) (time.Time, error) {
	i := r.instance(f)
	i.kill()
	return time.Now(), i.start("")
}

// crash arms an instance, by starting it anew, and waits until it has died at
// its point. A point that nothing leads to in time is a plain kill.
func (r *run) crash(ctx context.Context, f Fault) (time.Time, error) {
	return r.crashAfter(ctx, f, func() error { return nil })
}

// crashAfter is crash with something that leads to the point, once the instance is
// armed.
func (r *run) crashAfter(ctx context.Context, f Fault, lead func() error) (time.Time, error) {
	i := r.instance(f)
	i.kill()
	if err := i.start(fmt.Sprintf("%s@%d", f.Point, f.Pass)); err != nil {
		return time.Now(), err
	}
	if err := lead(); err != nil {
		return time.Now(), err
	}
	timer := time.NewTimer(crashPatience)
	defer timer.Stop()
	select {
	case <-i.ended():
	case <-timer.C:
		i.kill()
	case <-ctx.Done():
		return time.Now(), ctx.Err()
	}
	return time.Now(), i.start("")
}

func (r *run) pause(ctx context.Context, f Fault) (time.Time, error) {
	i := r.instance(f)
	at := time.Now()
	if err := i.signal(syscall.SIGSTOP); err != nil {
		return at, err
	}
	err := failure.Sleep(ctx, pauseTime)
	if cont := i.signal(syscall.SIGCONT); err == nil {
		err = cont
	}
	return at, err
}

func (r *run) scale(ctx context.Context, f Fault) (time.Time, error) {
	i := r.instance(f)
	at := time.Now()
	if err := i.stop(30 * time.Second); err != nil {
		return at, err
	}
	if err := failure.Sleep(ctx, r.Outage); err != nil {
		return at, err
	}
	return at, i.start("")
}

// replay replays what can be replayed, and kills the tool at its point. What it
// had sent then, the next replay must not send again.
func (r *run) replay(ctx context.Context, f Fault) (time.Time, error) {
	for _, armed := range []string{fmt.Sprintf("%s@%d", f.Point, f.Pass), ""} {
		runCtx, cancel := context.WithTimeout(ctx, replayPatience)
		defer cancel()
		cmd := exec.CommandContext(runCtx, r.programs["dlq"], "replay", "--reason", "time_out_of_bounds", "--max-replays", "1", "--yes")
		cmd.Env = append(r.env[:len(r.env):len(r.env)], crash.Variable+"="+armed)
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		_ = cmd.Run() // it is killed, or has nothing to do; the checker counts what it sent
	}
	return time.Now(), ctx.Err()
}

// progressed waits for a webhook received after t to be in the ledger.
func (r *run) progressed(ctx context.Context, t time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, recoveryLimit, fmt.Errorf("no progress for %s", recoveryLimit))
	defer cancel()
	for {
		if ok, err := r.appliedAfter(ctx, t); err == nil && ok {
			return nil
		}
		if failure.Sleep(ctx, 100*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
}

func (r *run) appliedAfter(ctx context.Context, t time.Time) (bool, error) {
	conn, err := pgx.Connect(ctx, r.in.pg.URL())
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var ok bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hookstream.ledger WHERE received_at > $1)`, t).Scan(&ok)
	return ok, err
}
