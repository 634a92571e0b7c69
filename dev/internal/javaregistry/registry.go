// SPDX-License-Identifier: Apache-2.0

// Package javaregistry runs Apicurio Registry from its Maven artifact, for
// development and tests: a schema registry that, unlike the embedded fake, is
// what people run, behind the Confluent-compatible API that the services speak.
package javaregistry

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/dev/internal/ports"
)

const (
	javaVersion = 21                 // what Apicurio Registry 3.3 needs at least
	api         = "/apis/ccompat/v7" // Confluent's API, version 7

	startTimeout   = 2 * time.Minute // without the fetch
	attemptTimeout = 5 * time.Second
	stopGrace      = 10 * time.Second
	pollInterval   = 50 * time.Millisecond
)

//go:embed pom.xml
var pom []byte

// Options of a registry.
type Options struct {
	// DataDir belongs to this registry alone and survives it, schema ids
	// included. It is created if missing.
	DataDir string
	// CacheDir keeps the program; empty means the user's cache folder.
	CacheDir string
	// Port is where clients reach the registry. 0 means a free one.
	Port int
	// Log gets what takes long. Nil discards.
	Log *slog.Logger
}

// Registry is a running schema registry on the loopback interface.
type Registry struct {
	url     string
	dir     string
	process *jvm.Process
}

// Start returns a registry that answers: after some 5 s, and the time to fetch
// it (160 MB) when the cache lacks it. ctx limits the start, not the registry's
// life: that ends with Stop, or when this process dies, in any way.
//
// Start returns jvm.ErrMissing where Java 21 or Maven is not installed. If the
// registry does not start, the error has its last messages.
func Start(ctx context.Context, o Options) (*Registry, error) {
	r, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start schema registry: %w", err)
	}
	return r, nil
}

func start(ctx context.Context, o Options) (*Registry, error) {
	if o.DataDir == "" {
		return nil, errors.New("no data folder given")
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	java, err := jvm.Find(ctx, javaVersion)
	if err != nil {
		return nil, err
	}
	program, err := jvm.Artifacts(ctx, o.CacheDir, "registry", pom, o.Log)
	if err != nil {
		return nil, err
	}
	port, management, err := pickPorts(o.Port)
	if err != nil {
		return nil, err
	}
	process, err := jvm.Start(ctx, jvm.Program{
		Java: java, Args: arguments(program, port, management), Dir: dir, Output: output(dir),
	})
	if err != nil {
		return nil, err
	}
	r := &Registry{url: "http://" + ports.Address(port) + api, dir: dir, process: process}
	if err := r.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, r.Stop(context.WithoutCancel(ctx)))
	}
	return r, nil
}

func pickPorts(wanted int) (port, management int, err error) {
	var picker ports.Picker
	defer picker.Release()
	if wanted != 0 {
		port, err = wanted, picker.Take(wanted)
	} else {
		port, err = picker.Pick(0)
	}
	if err == nil {
		management, err = picker.Pick(0)
	}
	return port, management, err
}

// arguments of java. The management interface cannot be turned off at run time
// and would otherwise listen on every interface.
func arguments(program string, port, management int) []string {
	return []string{
		"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
		"-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port=" + strconv.Itoa(port),
		"-Dquarkus.management.host=127.0.0.1", "-Dquarkus.management.port=" + strconv.Itoa(management),
		"-Dquarkus.log.level=WARN", "-Dquarkus.http.access-log.enabled=false",
		"-Dapicurio.datasource.url=jdbc:h2:file:./schemas", // in the working folder
		"-jar", filepath.Join(program, "quarkus-run.jar"),
	}
}

func output(dir string) string { return filepath.Join(dir, "registry.log") }

// awaitReady polls until the registry lists its subjects, or ends.
func (r *Registry) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := sr.NewClient(sr.URLs(r.url))
	if err != nil {
		return err
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		_, err := client.Subjects(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-r.process.Done():
			return fmt.Errorf("%s: ended while it started: %w: %s", output(r.dir), r.process.Err(), jvm.Tail(output(r.dir), 6))
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready: %w; last answer: %w", output(r.dir), context.Cause(ctx), err)
		case <-poll.C:
		}
	}
}

// URL is the registry's for its clients, Confluent's API.
func (r *Registry) URL() string { return r.url }

// Done is closed when the registry has ended, for whatever reason.
func (r *Registry) Done() <-chan struct{} { return r.process.Done() }

// Stop ends the registry, with SIGKILL if it takes longer than 10 s or than ctx,
// and keeps the data.
func (r *Registry) Stop(ctx context.Context) error {
	return jvm.StopIn(ctx, r.dir, stopGrace)
}
