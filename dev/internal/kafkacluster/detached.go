// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/hookstream/hookstream/dev/internal/jvm"
)

// Up makes sure that the folder's cluster runs, on its own: it outlives this
// process and ends by Down. Brokers that run are left alone, missing ones are
// started. Up returns the clients' addresses when the cluster is ready; if it
// fails, it stops the brokers that it started.
func Up(ctx context.Context, o Options) ([]string, error) {
	addresses, err := up(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	return addresses, nil
}

func up(ctx context.Context, o Options) ([]string, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	l, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	lock, err := jvm.Lock(ctx, lockFile(o.DataDir))
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	started, err := l.startMissing(ctx)
	if err == nil {
		err = l.awaitReady(ctx, l.layout.Brokers)
	}
	if err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		return nil, errors.Join(err, stopAll(stopCtx, o.DataDir, started))
	}
	return l.layout.addresses(), nil
}

// startMissing starts the brokers that do not run and returns them.
func (l *launcher) startMissing(ctx context.Context) (started []broker, err error) {
	missing, err := l.missing()
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	for _, b := range missing {
		if _, err := l.start(ctx, b, true); err != nil {
			return started, err
		}
		started = append(started, b)
	}
	return started, nil
}

// missing sets the layout and returns its brokers that do not run. If some run,
// the layout stays: their ports are in use by themselves.
func (l *launcher) missing() ([]broker, error) {
	known, err := loadLayout(l.DataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	alive, err := known.alive(l.DataDir)
	if err != nil {
		return nil, err
	}
	if len(alive) == 0 {
		l.layout, err = layOut(l.Options)
		return l.layout.Brokers, err
	}
	l.layout = known
	missing := slices.DeleteFunc(slices.Clone(known.Brokers), func(b broker) bool { return slices.Contains(alive, b) })
	return missing, known.fits(l.Options)
}

// Down stops the cluster in the folder, whoever started it, and keeps its data.
// It returns when the brokers are gone; at once if none runs.
func Down(ctx context.Context, dataDir string) error {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return err
	}
	l, err := loadLayout(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = stopAll(ctx, dataDir, l.Brokers)
	}
	if err != nil {
		return fmt.Errorf("stop Kafka: %w", err)
	}
	return nil
}
