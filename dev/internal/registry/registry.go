// SPDX-License-Identifier: Apache-2.0

// Package registry runs franz-go's srfake as the embedded schema registry, and
// keeps its schemas in a file so that their ids survive a restart.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// Registry is a running embedded schema registry.
type Registry struct {
	url    string
	file   string
	server *http.Server
	client *sr.Client
	mu     sync.Mutex
}

// Start listens on the address. The fake answers every compatibility question
// with yes; the services check compatibility themselves. An empty file keeps
// the schemas in memory.
func Start(ctx context.Context, address, file string) (*Registry, error) {
	fake := srfake.NewRegistry()
	if err := restore(fake, file); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("embedded schema registry: %w", err)
	}
	r := &Registry{url: "http://" + ln.Addr().String(), file: file}
	if r.client, err = sr.NewClient(sr.URLs(r.url)); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	r.server = &http.Server{Handler: fake.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(ln) }() // ends with Close
	return r, nil
}

// URL of the registry.
func (r *Registry) URL() string { return r.url }

// Save writes all schemas to the file.
func (r *Registry) Save(ctx context.Context) error {
	if r.file == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.client.AllSchemas(ctx)
	if err != nil {
		return fmt.Errorf("embedded schema registry: %w", err)
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(r.file, data, 0o600)
}

// Close saves the schemas and stops the server.
func (r *Registry) Close(ctx context.Context) error {
	return errors.Join(r.Save(ctx), r.server.Close())
}

func restore(fake *srfake.Registry, file string) error {
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var all []sr.SubjectSchema
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("schemas in %s: %w", file, err)
	}
	for _, s := range all {
		fake.SeedSchema(s.Subject, s.Version, s.ID, s.Schema)
	}
	return nil
}
