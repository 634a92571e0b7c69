// SPDX-License-Identifier: Apache-2.0

package transform

import (
	"errors"
	"fmt"
	"net/url"
	"time"

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

	RegistryURL      string         `help:"Schema registry (Confluent API)." default:"http://localhost:8081" env:"HOOKSTREAM_REGISTRY_URL" placeholder:"URL"`
	RegistryUser     string         `help:"User for the schema registry." env:"HOOKSTREAM_REGISTRY_USER"`
	RegistryPassword setting.Secret `help:"Password for the schema registry." env:"HOOKSTREAM_REGISTRY_PASSWORD"`

	DefinitionsDir string `help:"Folder of provider definitions laid over the embedded ones. A change is noticed." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR"`

	Group      string `help:"Consumer group; also the prefix of transactional ids." default:"hookstream-transform" env:"HOOKSTREAM_TRANSFORM_GROUP"`
	InstanceID string `help:"Name of this instance, unique among the running ones and the same after a restart; the host name by default." env:"HOOKSTREAM_INSTANCE_ID"`

	MaxRecords         int           `help:"Most raw records of one transaction." default:"5000" env:"HOOKSTREAM_TRANSACTION_RECORDS"`
	TransactionTimeout time.Duration `help:"How long a transaction may take before Kafka aborts it." default:"60s" env:"HOOKSTREAM_TRANSACTION_TIMEOUT"`
	SessionTimeout     time.Duration `help:"How long an instance that went silent keeps its partitions." default:"15s" env:"HOOKSTREAM_SESSION_TIMEOUT"`

	MaxEventAge  time.Duration `help:"How old an event's own time may be; older ones are dead-lettered." default:"87600h" env:"HOOKSTREAM_MAX_EVENT_AGE"`
	MaxEventSkew time.Duration `help:"How far an event's own time may lie ahead; others are dead-lettered." default:"24h" env:"HOOKSTREAM_MAX_EVENT_SKEW"`

	HeldMaxRecords int      `help:"Most raw records of one partition that are held until their definition is corrected. When it is reached the partition waits, with all that is in it." default:"100000" env:"HOOKSTREAM_HELD_MAX_RECORDS"`
	DeadLetter     []string `help:"Event types to dead-letter even if most of them fail to be mapped, PROVIDER/TYPE, or all of a PROVIDER; what is held of them too. Without, they are held." env:"HOOKSTREAM_TRANSFORM_DEAD_LETTER" placeholder:"PROVIDER/TYPE"`

	DedupMaxEntries int `help:"Most events that deduplication remembers, at most 30 bytes each; 0 for no bound. When it is reached the partitions wait until entries expire or other instances take them over: nothing is forgotten inside the window." default:"0" env:"HOOKSTREAM_DEDUP_MAX_ENTRIES"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	errs := []error{c.Kafka.Validate()}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.RegistryURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		fail("HOOKSTREAM_REGISTRY_URL is %q, must be an http or https URL", c.RegistryURL)
	}
	if (c.RegistryUser == "") != (c.RegistryPassword == "") {
		fail("HOOKSTREAM_REGISTRY_USER and HOOKSTREAM_REGISTRY_PASSWORD go together")
	}
	if c.Group == "" {
		fail("HOOKSTREAM_TRANSFORM_GROUP is empty")
	}
	if c.MaxRecords < 1 {
		fail("HOOKSTREAM_TRANSACTION_RECORDS is %d, must be at least 1", c.MaxRecords)
	}
	if c.SessionTimeout < time.Second {
		fail("HOOKSTREAM_SESSION_TIMEOUT is %s, must be at least 1s", c.SessionTimeout)
	}
	if c.TransactionTimeout < 2*time.Second {
		fail("HOOKSTREAM_TRANSACTION_TIMEOUT is %s, must be at least 2s", c.TransactionTimeout)
	}
	if c.MaxEventAge <= 0 {
		fail("HOOKSTREAM_MAX_EVENT_AGE is %s, must be positive", c.MaxEventAge)
	}
	if c.MaxEventSkew <= 0 {
		fail("HOOKSTREAM_MAX_EVENT_SKEW is %s, must be positive", c.MaxEventSkew)
	}
	if c.HeldMaxRecords < 1 {
		fail("HOOKSTREAM_HELD_MAX_RECORDS is %d, must be at least 1", c.HeldMaxRecords)
	}
	if c.DedupMaxEntries < 0 {
		fail("HOOKSTREAM_DEDUP_MAX_ENTRIES is %d, must not be negative", c.DedupMaxEntries)
	}
	return errors.Join(errs...)
}

// transactionalID is unique to the instance and the same after a restart, which
// so fences what it left behind.
func (c *Config) transactionalID() string { return c.Group + "-" + c.InstanceID }
