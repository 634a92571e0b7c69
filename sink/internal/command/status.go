// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/status"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/postgres"
	"github.com/hookstream/hookstream/stage/service"
)

type statusCommand struct {
	sink.Database `embed:""`
	Kafka         kafka.Config  `embed:""`
	AdminAddress  string        `help:"Address of the instances' admin listeners, of which the port counts." default:"${admin_address}" env:"HOOKSTREAM_ADMIN_ADDRESS" is:"listener"`
	Instances     []string      `help:"Admin listeners of all instances, host:port; by default the hosts of the consumer group's members." env:"HOOKSTREAM_SINK_INSTANCES" placeholder:"HOST:PORT" is:"optional server"`
	Output        string        `short:"o" help:"Format: ${enum}." enum:"table,json" default:"table"`
	All           bool          `help:"List the partitions that are up to date too."`
	Timeout       time.Duration `help:"How long to wait for each answer." default:"5s"`
}

// Help is shown below the usage.
func (*statusCommand) Help() string {
	return `Asks the database, Kafka and the instances' admin listeners, wherever the sink runs;
it changes nothing. What does not answer is shown as "unknown".

Examples:
  sink status
  sink status -o json | jq '[.partitions[].lag | numbers] | add'

Exit codes:
  0  everything could be found out, whatever it is
  1  failed
  2  wrong usage
  3  something is unknown`
}

// Validate checks what the command needs.
func (c *statusCommand) Validate() error {
	err := setting.Check(c)
	if wrong := postgres.Check(c.DatabaseURL); wrong != nil {
		err = errors.Join(err, fmt.Errorf("HOOKSTREAM_DATABASE_URL %w", wrong))
	}
	return errors.Join(err, c.Kafka.Validate())
}

// Run asks and reports.
func (c *statusCommand) Run(ctx context.Context, k *kong.Context) error {
	_, port, err := net.SplitHostPort(c.AdminAddress)
	if err != nil {
		return fmt.Errorf("HOOKSTREAM_ADMIN_ADDRESS %q: %w", c.AdminAddress, err)
	}
	pool, err := database.Open(ctx, c.DatabaseURL.Reveal(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	report := status.Collect(ctx, status.Source{
		Kafka: &c.Kafka, Pool: pool, Group: c.Group, Topics: sink.Topics(&c.Kafka),
		Instances: c.Instances, AdminPort: port, Patience: c.Timeout, Log: slog.New(slog.DiscardHandler),
	})
	if c.Output == "json" {
		enc := json.NewEncoder(k.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = report.Text(k.Stdout, c.All)
	}
	if err == nil && !report.Complete() {
		return service.Exit(service.ExitPartial)
	}
	return err
}
