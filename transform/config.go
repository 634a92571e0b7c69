// SPDX-License-Identifier: Apache-2.0

package transform

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// Info describes the transform program.
var Info = service.Info{
	Name:         "transform",
	Description:  "Maps raw webhooks to canonical events, drops repeated deliveries, and publishes the rest exactly once.",
	AdminAddress: ":8082",
}

// Config is the transform service's configuration, from flags and environment.
type Config struct {
	service.Common `embed:""`
	Kafka          kafka.Config `embed:""`

	Registry       registry.Config `embed:"" prefix:"registry-" set:"registry_url=http://localhost:8081"`
	DefinitionsDir string          `help:"Folder of provider definitions laid over the embedded ones. A change is noticed." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR" is:"optional folder"`

	Group      string `help:"Consumer group; also the prefix of transactional ids." default:"hookstream-transform" env:"HOOKSTREAM_TRANSFORM_GROUP" is:"name"`
	InstanceID string `help:"Name of this instance, unique among the running ones and the same after a restart; the host name by default." env:"HOOKSTREAM_INSTANCE_ID" is:"optional name"`

	MaxRecords         int           `help:"Most raw records of one transaction." default:"5000" env:"HOOKSTREAM_TRANSACTION_RECORDS" bounds:"1..1000000"`
	TransactionTimeout time.Duration `help:"How long a transaction may take before Kafka aborts it." default:"60s" env:"HOOKSTREAM_TRANSACTION_TIMEOUT" bounds:"2s..15m"`
	SessionTimeout     time.Duration `help:"How long an instance that went silent keeps its partitions." default:"15s" env:"HOOKSTREAM_SESSION_TIMEOUT" bounds:"1s..30m"`

	MaxEventAge  time.Duration `help:"How old an event's own time may be; older ones are dead-lettered." default:"87600h" env:"HOOKSTREAM_MAX_EVENT_AGE" bounds:"1ns.."`
	MaxEventSkew time.Duration `help:"How far an event's own time may lie ahead; others are dead-lettered." default:"24h" env:"HOOKSTREAM_MAX_EVENT_SKEW" bounds:"1ns..87600h"`

	HeldMaxRecords int      `help:"Most raw records of one partition that are held until their definition is corrected. When it is reached the partition waits, with all that is in it." default:"100000" env:"HOOKSTREAM_HELD_MAX_RECORDS" bounds:"1..100000000"`
	DeadLetter     []string `help:"Event types to dead-letter even if most of them fail to be mapped, PROVIDER/TYPE, or all of a PROVIDER; what is held of them too. Without, they are held." env:"HOOKSTREAM_TRANSFORM_DEAD_LETTER" placeholder:"PROVIDER/TYPE"`

	DedupMaxEntries int `help:"Most events that deduplication remembers, at most 30 bytes each; 0 for no bound. When it is reached the partitions wait until entries expire or other instances take them over: nothing is forgotten inside the window." default:"0" env:"HOOKSTREAM_DEDUP_MAX_ENTRIES" bounds:"0..1000000000"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	return errors.Join(setting.Check(c), c.Kafka.Validate(), c.Registry.Validate(), c.registryNeeded(), c.validateDeadLetter())
}

func (c *Config) validateDeadLetter() error {
	for _, text := range c.DeadLetter {
		if name, eventType, slash := strings.Cut(text, "/"); !slash || eventType == "" || !provider.ValidName(name) {
			return fmt.Errorf("HOOKSTREAM_TRANSFORM_DEAD_LETTER has %.60q, must be PROVIDER/TYPE", text)
		}
	}
	return nil
}

func (c *Config) registryNeeded() error {
	if c.Registry.URL == "" {
		return errors.New("HOOKSTREAM_REGISTRY_URL is empty")
	}
	return nil
}

// transactionalID is unique to the instance and the same after a restart, which
// so fences what it left behind.
func (c *Config) transactionalID() string { return c.Group + "-" + c.InstanceID }
