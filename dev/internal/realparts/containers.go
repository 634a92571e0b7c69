// SPDX-License-Identifier: Apache-2.0

package realparts

import (
	"context"
	"fmt"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/hookstream/hookstream/dev/internal/ports"
)

// Images of the containers, the same as in docker-compose.yml.
const (
	kafkaImage    = "apache/kafka:4.3.1"
	postgresImage = "postgres:18.6"
	startTimeout  = 3 * time.Minute
)

// kafkaContainer is one broker. Its port is the same inside and outside, because
// a broker tells its clients where to call.
func (p *Parts) kafkaContainer(ctx context.Context) error {
	var picker ports.Picker
	port, err := picker.Pick(0)
	if err != nil {
		return err
	}
	picker.Release()
	listener := fmt.Sprintf("%d/tcp", port)
	c, err := testcontainers.Run(ctx, kafkaImage,
		testcontainers.WithExposedPorts(fmt.Sprintf("%d:%s", port, listener)),
		testcontainers.WithEnv(map[string]string{
			"KAFKA_NODE_ID":                                  "1",
			"KAFKA_PROCESS_ROLES":                            "broker,controller",
			"KAFKA_LISTENERS":                                fmt.Sprintf("PLAINTEXT://:%d,CONTROLLER://:29093", port),
			"KAFKA_ADVERTISED_LISTENERS":                     fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port),
			"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
			"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:29093",
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
			"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
			"KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS":             "1000",
			"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
		}),
		testcontainers.WithWaitStrategy(wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout)))
	if c != nil {
		p.stops = append(p.stops, func(ctx context.Context) error { return c.Terminate(ctx) })
	}
	if err != nil {
		return fmt.Errorf("container %s: %w", kafkaImage, err)
	}
	p.Brokers = []string{ports.Address(port)}
	return nil
}

func (p *Parts) postgresContainer(ctx context.Context) error {
	c, err := testcontainers.Run(ctx, postgresImage,
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "hookstream", "POSTGRES_DB": "hookstream", "POSTGRES_HOST_AUTH_METHOD": "trust"}),
		testcontainers.WithCmd("postgres", "-c", "fsync=off"),
		// The server starts twice: once to set itself up.
		testcontainers.WithWaitStrategy(wait.ForLog("ready to accept connections").WithOccurrence(2).WithStartupTimeout(startTimeout)))
	if c != nil {
		p.stops = append(p.stops, func(ctx context.Context) error { return c.Terminate(ctx) })
	}
	if err != nil {
		return fmt.Errorf("container %s: %w", postgresImage, err)
	}
	endpoint, err := c.PortEndpoint(ctx, "5432/tcp", "")
	if err != nil {
		return fmt.Errorf("container %s: %w", postgresImage, err)
	}
	p.Database = "postgres://hookstream@" + endpoint + "/hookstream?sslmode=disable"
	return nil
}
