// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
)

// Options of a cluster.
type Options struct {
	// Brokers is 1 or 3; 0 means 1. Three replicate every topic three times with
	// min.insync.replicas=2. A data folder stays with the number it began with.
	Brokers int
	// DataDir belongs to this cluster alone and survives it. It is created if
	// missing. Its folder log has a file for each broker.
	DataDir string
	// CacheDir keeps Kafka's jars; empty means the user's cache folder.
	CacheDir string
	// Port is where clients reach the first broker; the others have the next
	// ones. 0 means free ports, the same again with the same data if possible.
	Port int
	// Log gets what takes long and what goes wrong. Nil discards.
	Log *slog.Logger
}

func (o Options) complete() (Options, error) {
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	if o.Brokers != 1 && o.Brokers != 3 {
		return o, fmt.Errorf("%d brokers: choose 1 or 3", o.Brokers)
	}
	if o.DataDir == "" {
		return o, errors.New("no data folder given")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	o.DataDir, err = filepath.Abs(o.DataDir)
	return o, err
}
