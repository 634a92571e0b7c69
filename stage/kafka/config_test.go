// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
)

func TestDefaultsAreValid(t *testing.T) {
	var c Config
	if err := kong.ApplyDefaults(&c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Topics.Raw != "hookstream.raw" || c.Partitions != 6 || c.Brokers[0] != "localhost:9092" || c.Retention != 720*time.Hour {
		t.Errorf("got %+v", c)
	}
}

func TestValidationNamesTheVariable(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"HOOKSTREAM_BROKERS is empty":                                              func(c *Config) { c.Brokers = nil },
		"HOOKSTREAM_PARTITIONS is 0, must be from 1 to 10000":                      func(c *Config) { c.Partitions = 0 },
		"HOOKSTREAM_KAFKA_SASL_MECHANISM, HOOKSTREAM_KAFKA_SASL_USER":              func(c *Config) { c.SASLMechanism, c.SASLUser = "plain", "u" },
		"HOOKSTREAM_KAFKA_CERT_FILE and HOOKSTREAM_KAFKA_KEY_FILE go together":     func(c *Config) { c.CertFile = "x" },
		"HOOKSTREAM_MAX_MESSAGE_BYTES is 1000, must be from 65536 to":              func(c *Config) { c.MaxMessageBytes = 1000 },
		"HOOKSTREAM_DEDUP_WINDOW is 1s, must be from 1m":                           func(c *Config) { c.DedupWindow = time.Second },
		"HOOKSTREAM_BROKERS is empty\nHOOKSTREAM_PARTITIONS is -1, must be from 1": func(c *Config) { c.Brokers, c.Partitions = nil, -1 },
	} {
		var c Config
		if err := kong.ApplyDefaults(&c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestTLSFilesAreNamedInErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"HOOKSTREAM_KAFKA_CA_FILE is \"/nowhere\"":   {TLS: true, CAFile: "/nowhere"},
		"holds no PEM certificate":                   {TLS: true, CAFile: empty},
		"HOOKSTREAM_KAFKA_CERT_FILE is \"/nowhere\"": {TLS: true, CertFile: "/nowhere", KeyFile: empty},
	} {
		if _, err := c.Options("test", quiets); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a Fatal error with %q", err, want)
		}
	}
}

func TestFitsIsWhatTheBrokerTakes(t *testing.T) {
	c := config(t)
	c.MaxMessageBytes = 64 << 10
	create(t, c, c.Topics.Raw, 1, "max.message.bytes", "65536")
	cl := client(t, c, kgo.ProducerBatchCompression(kgo.NoCompression()))
	largest := &kgo.Record{Topic: c.Topics.Raw, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
	largest.Value = make([]byte, int(c.MaxMessageBytes)-batchHeadroom-RecordBytes(largest))
	if !c.Fits(largest) {
		t.Fatal("does not fit")
	}
	if err := cl.ProduceSync(t.Context(), largest).FirstErr(); err != nil {
		t.Errorf("a record that fits was refused: %v", err)
	}
	larger := &kgo.Record{Topic: c.Topics.Raw, Value: make([]byte, c.MaxMessageBytes)}
	if c.Fits(larger) {
		t.Error("a record as large as a batch fits")
	}
	if c.MaxValueBytes() >= int(c.MaxMessageBytes) {
		t.Error("no room for headers")
	}
}
