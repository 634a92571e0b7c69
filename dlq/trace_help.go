// SPDX-License-Identifier: Apache-2.0

package dlq

const traceDescription = `What became of a webhook: where it is, what was made of it, and how long it took.

  hookstream trace evt_1PqXyz               one event, by the provider's id
  hookstream trace pi_3Qabc --by key --tenant default --provider stripe
  hookstream trace transform:hookstream.raw/3/1234
  hookstream trace 4bf92f3577b34da6a3ce929d0e0e4736 --open

Exit codes:
  0  found
  1  failed: Kafka is away, interrupted
  2  wrong usage
  3  nothing found; how far was looked is said
  4  incomplete: the ledger or the schema registry is configured and could not be
     asked; what Kafka tells is printed, and what is unknown, and why`

// Help is what --help adds.
func (traceCommand) Help() string {
	return `It reads the topics themselves, so it also explains events that never reached the
sink, and the sink's ledger if HOOKSTREAM_DATABASE_URL is set. What neither has is
said to be unknown. A request that ingest refused is on no topic: its log has it.
--since and --until make it faster: the topics are read from
there and not from their beginning. A business key with --by key, --tenant and
--provider lies in one partition, and only that is read.

Examples:
  hookstream trace evt_1PqXyz --since 24h
  hookstream trace evt_1PqXyz --body > body.json
  hookstream trace default/stripe/pi_3Qabc -o json | jq '.events[].status'`
}
