// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

type runCommand struct {
	parts     `embed:""`
	Address   string  `help:"Address for webhooks. Falls back to a free port when it is taken." default:"127.0.0.1:8080"`
	KafkaPort int     `help:"Port of the embedded broker. Falls back to a free one when it is taken." default:"9092"`
	API       string  `help:"Address of the API of dead letters. Falls back to a free port when it is taken. Empty for none." default:"127.0.0.1:8090" placeholder:"HOST:PORT"`
	Traces    string  `help:"Address of the page of traces, and of the OTLP/HTTP receiver behind it. Falls back to a free port when it is taken. Empty for none." default:"127.0.0.1:4318" placeholder:"HOST:PORT"`
	Traffic   bool    `help:"Send sample webhooks." default:"true" negatable:""`
	Rate      float64 `help:"Sample webhooks a second." default:"50"`
	Seed      uint64  `help:"The sample webhooks are drawn from it." default:"1"`
}

// Help is what --help adds.
func (runCommand) Help() string {
	return `Starts an embedded broker, a schema registry, a private PostgreSQL and all services
in this process, and sends sample webhooks: signed with each provider's real
scheme, repeated, out of order, with wrong signatures and poison among them.

  go run ./dev                           try it; nothing is kept
  go run ./dev --no-traffic              send your own
  go run ./dev --data-dir ./data         keep the data
  go run ./dev --definitions ./providers --secrets ./secrets
                                         a provider of your own
  go run ./dev --brokers localhost:9092 --database-url postgres://… --registry-url http://…`
}

// Run implements the command.
func (c *runCommand) Run(ctx context.Context) error {
	page, err := c.tracesPage(ctx)
	if err != nil {
		return err
	}
	defer closePage(page)
	log, closeLog, err := c.logger(ctx)
	if err != nil {
		return err
	}
	defer closeLog()
	opts, err := c.stackOptions(log)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Starting …")
	s, err := stack.Start(ctx, opts)
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped while it started")
	}
	if err != nil {
		return err
	}
	if page != nil {
		page.Point(pointers(s)...)
		page.Tell(tools(s))
	}
	fmt.Print(c.welcome(s, page))

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return watch(gctx, s, log) })
	g.Go(func() error {
		select {
		case err := <-s.Failed():
			return err
		case <-gctx.Done():
			return nil
		}
	})
	if c.Traffic {
		g.Go(func() error { return c.traffic(gctx, s) })
	}
	err = g.Wait()
	fmt.Fprintln(os.Stderr, "\nDraining … Ctrl-C again stops at once.")
	return errors.Join(err, c.drain(ctx, s))
}

// Validate checks the flags.
func (c *runCommand) Validate() error {
	switch {
	case c.Rate <= 0:
		return fmt.Errorf("--rate %g: must be positive; --no-traffic sends nothing", c.Rate)
	case c.KafkaPort < 0 || c.KafkaPort > 65535:
		return fmt.Errorf("--kafka-port %d: must be from 0 to 65535", c.KafkaPort)
	}
	return nil
}

// stackOptions are those of a stack that a person tries out: at the usual ports, where
// they are free.
func (c *runCommand) stackOptions(log *slog.Logger) (stack.Options, error) {
	opts := c.options(log)
	opts.KafkaPort = c.KafkaPort
	opts.Waiting = func(what string) { fmt.Fprintln(os.Stderr, what) }
	var err error
	if opts.Address, err = freeUnlessTaken("--address", c.Address); err != nil {
		return opts, err
	}
	if c.API != "" {
		opts.APIToken = apiToken
		if opts.APIAddress, err = freeUnlessTaken("--api", c.API); err != nil {
			return opts, err
		}
	}
	opts.AdminAddresses, err = adminAddresses()
	return opts, err
}

func (c *runCommand) drain(ctx context.Context, s *stack.Stack) error {
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := s.Stop(stopCtx); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, c.farewell())
	return nil
}

// farewell says what is left, which depends on what was embedded and where its
// data is.
func (c *runCommand) farewell() string {
	switch kafka, database := len(c.Brokers) > 0 || c.DataDir != "", c.DatabaseURL != "" || c.DataDir != ""; {
	case kafka && database:
		return "Stopped. Every accepted webhook is on its topic; what the sink had not applied yet, it will apply at its next start on the same data."
	case kafka:
		return "Stopped. Every accepted webhook is on its topic. The rows were in a private PostgreSQL that is gone; the next start applies all events anew."
	case database:
		return "Stopped. The rows are in the database. The topics were in an embedded broker that is gone, with what the sink had not applied yet."
	}
	return "Stopped. Topics and rows were for trying out and are gone; --data-dir DIR keeps them."
}

// chunk is how many deliveries of sample traffic are drawn at a time.
const chunk = 500

// sampleMark is in the event ids of sample traffic.
const sampleMark = "sample-"

// traffic sends sample webhooks at the rate until ctx ends.
func (c *runCommand) traffic(ctx context.Context, s *stack.Stack) error {
	sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: 8, Retries: 3}
	ticker := time.NewTicker(time.Duration(float64(time.Second) / c.Rate))
	defer ticker.Stop()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(sender.Connections)
	for seed := c.Seed; ; seed++ {
		now := time.Now()
		plan := workload.NewPlan(seed, chunk, sampleMark+workload.Run(now), now, workload.DefaultMix)
		for _, phase := range plan.Phases {
			for _, event := range phase {
				select {
				case <-ctx.Done():
					return g.Wait()
				case <-ticker.C:
					g.Go(func() error { sender.Deliver(gctx, event); return nil })
				}
			}
		}
	}
}
