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
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// server is a part that runs in a process of its own.
type server interface {
	// Address is host and port.
	Address() string
	// Close stops it.
	Close() error
}

// ServerOptions are for Serve.
type ServerOptions struct {
	// Brokers are Kafka's addresses, for servers that need it.
	Brokers []string
	// Prefix begins the names of all topics.
	Prefix string
	// Registry is the schema registry's URL, and Group the consumer group, for
	// those that consume.
	Registry, Group string
	// Records are the most of one transaction; 0 is produceBatch.
	Records int
	// ProfileDir, where not empty, gets the server's profiles.
	ProfileDir string
}

// servers by name.
var servers = map[string]func(context.Context, ServerOptions) (server, error){
	"bare":   startBare,
	"ingest": startIngest,
	"broker": startBroker,

	"ingest-silent": startSilentIngest,

	"transform":          startTransform,
	"transform-observed": startObservedTransform,
	"copy":               startCopy,
	"copy-decoding":      startDecoding,
}

// Serve runs the named server for the benchmark that started this process: it
// writes its address, then its usage for each line that it reads, until the
// input ends.
func Serve(ctx context.Context, name string, o ServerOptions, in io.Reader, out io.Writer) (err error) {
	start, ok := servers[name]
	if !ok {
		return fmt.Errorf("there is no server %q", name)
	}
	stopProfile, err := profile(o.ProfileDir, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	answers := json.NewEncoder(out)
	if err := answers.Encode(hello{Address: s.Address()}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := answers.Encode(used()); err != nil {
			return err
		}
	}
	return nil
}

// profile records CPU and allocations until the returned function is called.
func profile(dir, name string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	cpu, err := os.Create(filepath.Join(dir, name+".cpu.pprof")) //nolint:gosec // the folder is the user's choice
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(filepath.Join(dir, name+".allocs.pprof")) //nolint:gosec // the folder is the user's choice
		if err != nil {
			return err
		}
		runtime.GC() // the profile is as of the last collection
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
	}, nil
}
