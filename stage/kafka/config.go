// SPDX-License-Identifier: Apache-2.0

// Package kafka builds the Kafka clients of all services the same way: explicit
// isolation, explicit offset resets, security, telemetry, and topics that are
// created or checked before they are used.
package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/schemas/topic"
)

// Config is how to reach Kafka and how its topics look. Every service embeds
// it, and all services of one installation must agree on it.
type Config struct {
	Brokers []string `help:"Kafka bootstrap brokers, host:port." default:"localhost:9092" env:"HOOKSTREAM_BROKERS" placeholder:"HOST:PORT" is:"server"`

	TLS      bool   `name:"kafka-tls" help:"Connect with TLS." env:"HOOKSTREAM_KAFKA_TLS"`
	CAFile   string `name:"kafka-ca-file" help:"PEM file of the CA that signed the brokers' certificates; the system's by default." env:"HOOKSTREAM_KAFKA_CA_FILE" placeholder:"FILE" is:"optional certificates"`
	CertFile string `name:"kafka-cert-file" help:"PEM file of the client certificate." env:"HOOKSTREAM_KAFKA_CERT_FILE" placeholder:"FILE"`
	KeyFile  string `name:"kafka-key-file" help:"PEM file of the client certificate's key." env:"HOOKSTREAM_KAFKA_KEY_FILE" placeholder:"FILE"`

	SASLMechanism string         `name:"kafka-sasl-mechanism" help:"SASL mechanism: plain, scram-sha-256 or scram-sha-512." enum:",plain,scram-sha-256,scram-sha-512" default:"" env:"HOOKSTREAM_KAFKA_SASL_MECHANISM"`
	SASLUser      string         `name:"kafka-sasl-user" help:"SASL user." env:"HOOKSTREAM_KAFKA_SASL_USER" is:"optional name"`
	SASLPassword  setting.Secret `name:"kafka-sasl-password" help:"SASL password." env:"HOOKSTREAM_KAFKA_SASL_PASSWORD"`

	Topics          topic.Names   `embed:"" prefix:"topic-"`
	Partitions      int32         `help:"Partitions of every topic that is created. A topic that exists with another number is refused." default:"6" env:"HOOKSTREAM_PARTITIONS" bounds:"1..10000"`
	Replication     int16         `help:"Replication factor of topics that are created; -1 is the broker's default." default:"-1" env:"HOOKSTREAM_REPLICATION" bounds:"-1..100"`
	MaxMessageBytes int32         `help:"Largest record batch (max.message.bytes)." default:"4194304" env:"HOOKSTREAM_MAX_MESSAGE_BYTES" bounds:"65536..67108864"`
	Retention       time.Duration `help:"Retention of raw webhooks and events. It must outlive the longest restore of the database." default:"720h" env:"HOOKSTREAM_RETENTION"`
	DedupWindow     time.Duration `help:"How long a repeated delivery is recognized." default:"72h" env:"HOOKSTREAM_DEDUP_WINDOW" bounds:"1m..87600h"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	errs := []error{setting.Check(c), c.Topics.Validate()}
	if set := c.SASLMechanism != ""; (c.SASLUser != "") != set || (c.SASLPassword != "") != set {
		errs = append(errs, errors.New("HOOKSTREAM_KAFKA_SASL_MECHANISM, HOOKSTREAM_KAFKA_SASL_USER and HOOKSTREAM_KAFKA_SASL_PASSWORD go together"))
	}
	if c.Replication == 0 {
		errs = append(errs, errors.New("HOOKSTREAM_REPLICATION is 0, must be at least 1, or -1 for the broker's default"))
	}
	if c.Retention >= 0 && (c.Retention < time.Minute || c.Retention > maxRetention) {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_RETENTION is %s, must be from 1m to %s, or negative for ever", c.Retention, maxRetention))
	}
	_, err := c.certificates()
	return errors.Join(append(errs, err)...)
}

// maxRetention is ten years.
const maxRetention = 87_600 * time.Hour

func (c *Config) certificates() ([]tls.Certificate, error) {
	return setting.KeyPair("HOOKSTREAM_KAFKA_CERT_FILE", c.CertFile, "HOOKSTREAM_KAFKA_KEY_FILE", c.KeyFile)
}

// Sizing is the shape of the topics.
func (c *Config) Sizing() topic.Sizing {
	return topic.Sizing{
		Partitions: c.Partitions, MaxMessageBytes: c.MaxMessageBytes,
		Retention: c.Retention, DedupWindow: c.DedupWindow,
	}
}

// recordHeadroom is what a record batch needs beside one record's value: the
// batch header, the key and the headers, failure headers included.
const recordHeadroom = 32 << 10

// MaxValueBytes is the largest record value that fits into a batch whatever
// its headers. Larger values are refused before they are produced, because a
// broker's refusal would abort the whole transaction again and again.
func (c *Config) MaxValueBytes() int { return int(c.MaxMessageBytes) - recordHeadroom }

// batchHeadroom is what a record batch needs beside its only record: the batch
// header, and what producing adds: the trace context and the transaction's id.
const batchHeadroom = 2 << 10

// Fits reports whether r fits into a batch of its own. Sizes count before
// compression, as the client counts them.
func (c *Config) Fits(r *kgo.Record) bool {
	return RecordBytes(r) <= int(c.MaxMessageBytes)-batchHeadroom
}

// RecordBytes is an upper bound of a record's size in a batch.
func RecordBytes(r *kgo.Record) int {
	const varints = 10 // two lengths of at most five bytes
	size := 3*varints + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += varints + len(h.Key) + len(h.Value)
	}
	return size
}

func (c *Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if c.CAFile != "" {
		if t.RootCAs, err = setting.Authorities(c.CAFile); err != nil {
			return nil, fmt.Errorf("HOOKSTREAM_KAFKA_CA_FILE %w", err)
		}
	}
	t.Certificates, err = c.certificates()
	return t, err
}

func (c *Config) sasl() sasl.Mechanism {
	user, password := c.SASLUser, c.SASLPassword.Reveal()
	switch c.SASLMechanism {
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	}
	return nil
}
