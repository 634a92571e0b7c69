// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/terminal"
)

// ledger is the sink's, while it is connected to.
type ledger interface {
	outcome.Ledger
	Close(ctx context.Context) error
}

// session is what every command works with.
type session struct {
	*console.Console
	ctx      context.Context //nolint:containedctx // lives for one command
	cfg      *kafka.Config
	database setting.Secret
	log      *slog.Logger
	client   *kgo.Client
	topics   kadm.TopicDetails
	postgres ledger
	// ledgerUnreadable is set once the ledger could not be read.
	ledgerUnreadable bool
	// foreignTopic is set where another program's dead letters are read.
	foreignTopic bool

	foreign      int
	firstForeign string
	// undecided is how many records of each partition are behind an open
	// transaction.
	undecided map[int32]int64
}

// connectTimeout is how long an operator waits to learn that Kafka is away.
const connectTimeout = 10 * time.Second

// open connects and makes sure that the topics are there.
func (s *session) open() error {
	if err := s.connect(); err != nil {
		return err
	}
	return s.need(s.cfg.Topics.DeadLetters, s.cfg.Topics.Resolutions)
}

// openTopic is open for commands that only read: topic, if not empty, is one
// that another program writes its dead letters to.
func (s *session) openTopic(topic string) error {
	if topic == "" || topic == s.cfg.Topics.DeadLetters {
		return s.open()
	}
	s.foreignTopic = true
	s.cfg.Topics.DeadLetters = topic
	if err := s.connect(); err != nil {
		return err
	}
	return s.need(topic)
}

func (s *session) connect() error {
	if s.client != nil {
		return nil
	}
	// What the client logs is for services. Here every failure is an error, told once.
	s.log = slog.New(slog.DiscardHandler)
	if err := errors.Join(s.cfg.Validate(), checkDatabase(s.database)); err != nil {
		return usageError{err}
	}
	var err error
	if s.client, err = s.cfg.NewClient("hookstream-dlq", s.log); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, connectTimeout)
	defer cancel()
	if s.topics, err = kadm.NewClient(s.client).ListTopics(ctx); err != nil {
		return fmt.Errorf("cannot reach Kafka at %s (HOOKSTREAM_BROKERS): %w", s.brokers(), kafka.Classify(err))
	}
	return nil
}

func (s *session) need(topics ...string) error {
	for _, t := range topics {
		if !s.topics.Has(t) {
			return fmt.Errorf("topic %s does not exist at %s: check HOOKSTREAM_BROKERS and HOOKSTREAM_TOPIC_*; the services create it when they start", t, s.brokers())
		}
	}
	return nil
}

func (s *session) brokers() string { return strings.Join(s.cfg.Brokers, ", ") }

func (s *session) close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.postgres != nil {
		_ = s.postgres.Close(context.WithoutCancel(s.ctx)) // it was only read
	}
}

// notOurs counts records of the dead-letter topic that nobody can read, or not
// yet.
func (s *session) notOurs(at record.Position, err error) {
	var open letters.UndecidedError
	if errors.As(err, &open) {
		if s.undecided == nil {
			s.undecided = map[int32]int64{}
		}
		s.undecided[at.Partition] = open.Records // a command may look twice
		return
	}
	if s.foreign++; s.foreign == 1 {
		s.firstForeign = fmt.Sprintf("%s: %s", at, err)
	}
}

// warn tells of what was skipped.
func (s *session) warn() {
	if s.foreign > 0 {
		fmt.Fprintf(s.Err, "dlq: skipped %s records of %s that are not Hookstream's dead letters, the first at %s\n",
			output.Number(s.foreign), s.cfg.Topics.DeadLetters, terminal.Clean(s.firstForeign))
		s.foreign = 0
	}
	open := int64(0)
	for _, records := range s.undecided {
		open += records
	}
	if open > 0 {
		fmt.Fprintf(s.Err, "dlq: left out up to %s records of %s that are behind an open transaction; one that a process left when it died ends within a minute: look again\n",
			output.Number(int(open)), s.cfg.Topics.DeadLetters)
		s.undecided = nil
	}
}
