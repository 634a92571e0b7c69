// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/hookstream/hookstream/stage/failure"
)

// remedies are what a person must do about answers of a broker. Those that waiting
// does not change are Fatal. Whatever is not here is Transient and needs nobody: the
// client, a new session or a new producer epoch gets over it.
var remedies = []struct {
	code  *kerr.Error
	class failure.Class
	do    string
}{
	{kerr.SaslAuthenticationFailed, failure.Fatal, "correct HOOKSTREAM_KAFKA_SASL_USER and HOOKSTREAM_KAFKA_SASL_PASSWORD"},
	{kerr.UnsupportedSaslMechanism, failure.Fatal, "set HOOKSTREAM_KAFKA_SASL_MECHANISM to one that the broker offers"},
	{kerr.IllegalSaslState, failure.Fatal, "the listener of HOOKSTREAM_BROKERS wants another authentication: set HOOKSTREAM_KAFKA_SASL_MECHANISM"},
	{kerr.SecurityDisabled, failure.Fatal, "the broker has no authorizer: configure one, or take the security settings away"},

	{kerr.TopicAuthorizationFailed, failure.Fatal, "grant the user READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on the topics, and CREATE where they are missing"},
	{kerr.GroupAuthorizationFailed, failure.Fatal, "grant the user READ on the consumer group"},
	{kerr.ClusterAuthorizationFailed, failure.Fatal, "grant the user IDEMPOTENT_WRITE on the cluster, and CREATE where topics are missing"},
	{kerr.TransactionalIDAuthorizationFailed, failure.Fatal, "grant the user WRITE and DESCRIBE on the transactional id"},

	{kerr.InvalidTopicException, failure.Fatal, "correct the topic's name (HOOKSTREAM_TOPIC_…): letters, digits, '.', '_' and '-', at most 249"},
	{kerr.InvalidPartitions, failure.Fatal, "correct HOOKSTREAM_PARTITIONS"},
	{kerr.InvalidConfig, failure.Fatal, "create the topic as the broker's rules want it, or change HOOKSTREAM_RETENTION, HOOKSTREAM_DEDUP_WINDOW or HOOKSTREAM_MAX_MESSAGE_BYTES"},
	{kerr.PolicyViolation, failure.Fatal, "create the topic as the broker's policy wants it, or change the policy"},

	{kerr.InvalidGroupID, failure.Fatal, "correct the consumer group's name"},
	{kerr.InconsistentGroupProtocol, failure.Fatal, "another program uses the consumer group: give it a group of its own"},
	{kerr.InvalidSessionTimeout, failure.Fatal, "set HOOKSTREAM_SESSION_TIMEOUT between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"},
	{kerr.InvalidTransactionTimeout, failure.Fatal, "set HOOKSTREAM_TRANSACTION_TIMEOUT to at most the broker's transaction.max.timeout.ms"},

	{kerr.MessageTooLarge, failure.Fatal, "raise the topic's max.message.bytes to HOOKSTREAM_MAX_MESSAGE_BYTES"},
	{kerr.RecordListTooLarge, failure.Fatal, "raise the topic's segment.bytes above HOOKSTREAM_MAX_MESSAGE_BYTES"},
	{kerr.InvalidRequiredAcks, failure.Fatal, "the broker takes no acks=all: use a Kafka that does"},
	{kerr.UnsupportedVersion, failure.Fatal, "use a newer Kafka"},
	{kerr.UnsupportedForMessageFormat, failure.Fatal, "use message format 2 (message.format.version) for the topic"},
	{kerr.UnsupportedCompressionType, failure.Fatal, "allow Snappy for the topic (compression.type)"},

	// These pass when somebody did something, and so does what waits for it.
	{kerr.UnknownTopicOrPartition, failure.Transient, "the topic is missing; it is created or checked again within seconds"},
	{kerr.UnknownTopicID, failure.Transient, "the topic was deleted and created again; it is checked again within seconds"},
	{kerr.InvalidTimestamp, failure.Transient, "compare this machine's clock with the broker's (message.timestamp.after.max.ms)"},
	{kerr.InvalidRecord, failure.Transient, "a rule of the topic refuses the record: look at the broker's log"},
	{kerr.InvalidReplicationFactor, failure.Transient, "bring brokers up, or set HOOKSTREAM_REPLICATION to at most their number"},
	{kerr.NotEnoughReplicas, failure.Transient, "bring brokers back until min.insync.replicas are in sync"},
	{kerr.KafkaStorageError, failure.Transient, "look at the broker's disks"},
	{kerr.GroupMaxSizeReached, failure.Transient, "run fewer instances, or raise the broker's group.max.size"},
}

// Classify gives an error of the Kafka client its class, and says what to do where a
// person must. Credentials, rights and settings are for a person to mend; the rest
// passes.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	for _, r := range remedies {
		if !errors.Is(err, r.code) {
			continue
		}
		err = fmt.Errorf("kafka: %w (%s)", err, r.do)
		if r.class == failure.Fatal {
			return failure.NewFatal("%w", err)
		}
		return err
	}
	return fmt.Errorf("kafka: %w", err)
}
