// SPDX-License-Identifier: Apache-2.0

package dlq

import "github.com/alecthomas/kong"

const description = `Dead letters of Hookstream: find, understand, mend, replay.

At three in the morning:
  dlq stats                                 what fails, since when, how often
  dlq show ID                               why, and what a replay would do
  dlq simulate --fingerprint 94e1b96659d3   would it pass with today's definitions?
  dlq replay --fingerprint 94e1b96659d3 --dry-run
  dlq replay --fingerprint 94e1b96659d3 --why "stripe revision 2" --wait
  dlq history                               who did what

Exit codes:
  0  done
  1  failed: Kafka is away, another operator took over, interrupted
  2  wrong usage, or nobody there to confirm
  3  nothing to change matched, or some of what was selected was refused or not found;
     what only looks (stats, list, history) finds nothing and exits 0`

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

// Help is what --help adds.
func (statsCommand) Help() string {
	return `A kind of failure has a fingerprint: of its stage, provider, event type, reason
and message, without the ids, numbers and times in it.

Examples:
  dlq stats --since 24h
  dlq stats --topic connect.dlq      what Kafka Connect gave up`
}

// Help is what --help adds.
func (listCommand) Help() string {
	return `Examples:
  dlq list --since 24h --reason mapping_failed
  dlq list --fingerprint 94e1b96659d3 --limit 0 -o tsv > ids
  dlq list --run REPLAY-ID --status failed-again`
}

// Help is what --help adds.
func (heldCommand) Help() string {
	return `These are no dead letters: when their definition is corrected, they come out by
themselves, in order. HOOKSTREAM_TRANSFORM_DEAD_LETTER of transform gives them up.

Examples:
  dlq held --provider stripe
  dlq held --limit 0 -o json | jq -r '.[].event_type' | sort | uniq -c`
}

// Help is what --help adds.
func (replayCommand) Help() string {
	return `Examples:
  dlq replay transform:hookstream.raw/3/1234
  dlq replay --type 'charge.*' --since 24h --dry-run
  dlq replay --ids ids --rate 50 --yes
  dlq replay --reason mapping_failed --patch '.data.object.amount |= tonumber' --dry-run

Ctrl-C ends it after the transactions in hand. The same command again goes on from
there: a dead letter and its resolution are written in one transaction, so none is
sent twice.`
}

// Help is what --help adds.
func (simulateCommand) Help() string {
	return `Examples:
  dlq simulate --reason mapping_failed --definitions-dir ./definitions
  dlq simulate transform:hookstream.raw/3/1234 -o json`
}

// Help is what --help adds.
func (editCommand) Help() string {
	return `The dead letter stays as it is. What is sent keeps its identity, its key and its
place in the order, names who edited it, and its resolution keeps the difference.

Examples:
  dlq edit transform:hookstream.raw/3/1234
  dlq edit transform:hookstream.raw/3/1234 --file mended.json --why "a typo of theirs"`
}

// Help is what --help adds.
func (discardCommand) Help() string {
	return `Examples:
  dlq discard --reason malformed_body --why "test traffic"
  dlq undo --reason malformed_body`
}

// Help is what --help adds.
func (undoCommand) Help() string {
	return `Only discards are taken back: what was replayed was sent.

Examples:
  dlq undo transform:hookstream.raw/3/1234 --why "no test traffic after all"
  dlq undo --reason malformed_body --since 24h --dry-run`
}

// Help is what --help adds.
func (showCommand) Help() string {
	return `Examples:
  dlq show transform:hookstream.raw/3/1234
  dlq show transform:hookstream.raw/3/1234 --redact      to paste into a ticket
  dlq show transform:hookstream.raw/3/1234 -o json | jq -r .payload`
}

// Help is what --help adds.
func (historyCommand) Help() string {
	return `Every replay, discard and undo has an ID; dlq list --run tells to which it was done.

Examples:
  dlq history --since 24h
  dlq history transform:hookstream.raw/3/1234
  dlq list --run 01a20c04-e884-7545-9ef9-0ad729d3a2e6`
}

// Help is what --help adds.
func (tailCommand) Help() string {
	return `It ends with Ctrl-C, or where --until or --to-offset is reached.

Examples:
  dlq tail --provider stripe -o json | jq -r .message
  dlq tail --since 24h --until 2026-03-01T09:00:00Z`
}

// Help is what --help adds.
func (importCommand) Help() string {
	return `Dead letters that are there already, or that were replayed or discarded, stay as they
are.

Examples:
  dlq import letters.jsonl --dry-run
  dlq export --provider stripe | dlq import - --brokers other:9092 --yes`
}

// Help is what --help adds.
func (healthcheckCommand) Help() string {
	return `Examples:
  dlq healthcheck && echo ready`
}

// Help is what --help adds.
func (exportCommand) Help() string {
	return `Examples:
  dlq export --status all > letters.jsonl
  dlq export --provider stripe | dlq import - --brokers other:9092 --dry-run`
}
