// SPDX-License-Identifier: Apache-2.0

package dlq

import "github.com/alecthomas/kong"

const description = `Dead letters of Hookstream: list, show, replay, discard.

Examples:
  dlq list --since 24h --reason mapping_failed
  dlq show transform:hookstream.raw/3/1234
  dlq replay transform:hookstream.raw/3/1234
  dlq replay --type 'charge.*' --since 24h --dry-run
  dlq discard --reason malformed_body --why "test traffic"

Exit codes:
  0  done
  1  failed: Kafka is away, another operator took over, interrupted
  2  wrong usage, or nobody there to confirm
  3  nothing matched, or some of what was selected was refused or not found`

// unused are the flags of the services' Kafka configuration that size topics.
// They are read, so that one environment suits all, but dlq makes no topics.
var unused = map[string]bool{
	"partitions": true, "replication": true, "retention": true, "dedup-window": true,
	"topic-dedup": true, "topic-events-prefix": true,
}

// help leaves out what an operator need not read: in the help of one command,
// how to reach Kafka beyond the brokers.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	for _, f := range ctx.Model.Flags {
		isKafka := f.Group != nil && f.Group.Key == "kafka"
		if unused[f.Name] || isKafka && ctx.Selected() != nil && f.Name != "brokers" {
			f.Hidden = true
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
