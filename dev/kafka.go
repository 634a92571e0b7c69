// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookstream/hookstream/dev/internal/kafkacluster"
)

type kafkaCommand struct {
	Up   kafkaUp   `cmd:"" help:"Start Apache Kafka in the background and print its bootstrap brokers."`
	Down kafkaDown `cmd:"" help:"Stop it. Its data stays."`
}

type kafkaUp struct {
	kafkaFolder `embed:""`
	Brokers     int `help:"1, or 3 with replication factor 3 and min.insync.replicas 2." enum:"1,3" default:"1"`
	Port        int `help:"Port of the first broker; 0 is a free one." default:"0"`
}

type kafkaDown struct {
	kafkaFolder `embed:""`
}

type kafkaFolder struct {
	Dir string `help:"Folder of the data; below the user's cache by default." type:"path"`
}

// Help is what --help adds.
func (kafkaCommand) Help() string {
	return `Runs Apache Kafka in KRaft mode from its published Maven artifacts, for tests on a
real broker where there is no Docker. Java 17 and Maven are needed.`
}

// Run implements kafka up.
func (c *kafkaUp) Run(ctx context.Context) error {
	dir, err := c.folder(c.Brokers)
	if err != nil {
		return err
	}
	addresses, err := kafkacluster.Up(ctx, kafkacluster.Options{
		Brokers: c.Brokers, DataDir: dir, Port: c.Port, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, ","))
	return nil
}

// Run implements kafka down. Without a folder it stops the clusters of all
// sizes.
func (c *kafkaDown) Run(ctx context.Context) error {
	for _, brokers := range []int{1, 3} {
		dir, err := c.folder(brokers)
		if err != nil {
			return err
		}
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := kafkacluster.Down(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

func (f *kafkaFolder) folder(brokers int) (string, error) {
	if f.Dir != "" {
		return f.Dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "hookstream", fmt.Sprintf("kafka-%d", brokers)), nil
}
