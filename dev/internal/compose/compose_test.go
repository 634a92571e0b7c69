// SPDX-License-Identifier: Apache-2.0

// Package compose checks the files that run Hookstream on real parts: the
// compose file, the Dockerfile, and the configuration in deploy. They run where
// Docker is; what can be wrong in them without Docker is found here.
package compose

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// root is the repository, seen from this package.
const root = "../../.."

// ours are the programs built here.
var ours = []string{"ingest", "transform", "sink", "dlq", "dlq-api", "hookstream"}

// parts are what ours run on and are watched by.
var parts = []string{"kafka", "schema-registry", "postgres", "otel-collector", "jaeger", "prometheus", "grafana"}

// environment is every variable of ours that the services read. A name outside
// it is a misspelling, which a service would ignore in silence.
var environment = []string{
	"HOOKSTREAM_ADDRESS",
	"HOOKSTREAM_ADMIN_ADDRESS",
	"HOOKSTREAM_BROKERS",
	"HOOKSTREAM_DATABASE_URL",
	"HOOKSTREAM_DEDUP_WINDOW",
	"HOOKSTREAM_DEFINITIONS_DIR",
	"HOOKSTREAM_DLQ_ADDRESS",
	"HOOKSTREAM_DLQ_TOKENS_FILE",
	"HOOKSTREAM_INSTANCE_ID",
	"HOOKSTREAM_KAFKA_CA_FILE",
	"HOOKSTREAM_KAFKA_CERT_FILE",
	"HOOKSTREAM_KAFKA_KEY_FILE",
	"HOOKSTREAM_KAFKA_SASL_MECHANISM",
	"HOOKSTREAM_KAFKA_SASL_PASSWORD",
	"HOOKSTREAM_KAFKA_SASL_USER",
	"HOOKSTREAM_KAFKA_TLS",
	"HOOKSTREAM_LOG_LEVEL",
	"HOOKSTREAM_MAX_BODY_BYTES",
	"HOOKSTREAM_MAX_MESSAGE_BYTES",
	"HOOKSTREAM_PARTITIONS",
	"HOOKSTREAM_PRODUCE_TIMEOUT",
	"HOOKSTREAM_REGISTRY_URL",
	"HOOKSTREAM_REPLICATION",
	"HOOKSTREAM_RETENTION",
	"HOOKSTREAM_SECRETS",
	"HOOKSTREAM_SECRETS_DIR",
}

// stack is what of a compose file is checked. Forms that are valid but not
// ours (depends_on as a list, environment as a list) fail to decode.
type stack struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image         string                `yaml:"image"`
	Build         *build                `yaml:"build"`
	User          string                `yaml:"user"`
	Restart       string                `yaml:"restart"`
	MemLimit      string                `yaml:"mem_limit"`
	ReadOnly      bool                  `yaml:"read_only"`
	CapDrop       []string              `yaml:"cap_drop"`
	SecurityOpt   []string              `yaml:"security_opt"`
	Environment   map[string]string     `yaml:"environment"`
	Volumes       []string              `yaml:"volumes"`
	Ports         []string              `yaml:"ports"`
	Healthcheck   *healthcheck          `yaml:"healthcheck"`
	NoHealthcheck string                `yaml:"x-no-healthcheck"`
	DependsOn     map[string]dependency `yaml:"depends_on"`
}

type build struct {
	Context string            `yaml:"context"`
	Args    map[string]string `yaml:"args"`
}

type healthcheck struct {
	Test     []string `yaml:"test"`
	Interval string   `yaml:"interval"`
	Timeout  string   `yaml:"timeout"`
	Retries  int      `yaml:"retries"`
}

type dependency struct {
	Condition string `yaml:"condition"`
}

func TestCompose(t *testing.T) {
	for _, problem := range problems(parse(t, read(t, "docker-compose.yml"))) {
		t.Error(problem)
	}
}

// TestComposeFaults breaks the real file in one place and expects the fault to
// be named: a check that finds nothing in a broken file is not a check.
func TestComposeFaults(t *testing.T) {
	faults := map[string]struct{ old, new, want string }{
		"service missing":      {"\n  sink:\n", "\n  sync:\n", "sink: not in the file"},
		"service unknown":      {"\n  sink:\n", "\n  sync:\n", "sync: not expected"},
		"wrong module":         {"SERVICE: sink", "SERVICE: ingest", "sink: built with SERVICE=ingest"},
		"floating tag":         {"apache/kafka:4.3.1", "apache/kafka:latest", "kafka: image apache/kafka:latest is not pinned"},
		"no tag":               {"apache/kafka:4.3.1", "apache/kafka", "kafka: image apache/kafka is not pinned"},
		"port of a registry":   {"apache/kafka:4.3.1", "mirror:5000/kafka", "kafka: image mirror:5000/kafka is not pinned"},
		"no health check":      {"x-no-healthcheck: runs", "x-note: runs", "dlq: has neither a healthcheck nor a reason"},
		"shell in our image":   {`"/app/service", "healthcheck"`, `"curl", "localhost"`, "ingest: healthcheck [CMD curl localhost]"},
		"no dependency":        {"postgres: {condition", "mysql: {condition", "sink: depends on mysql, which is not in the file"},
		"no condition":         {"postgres: {condition: service_healthy}", "postgres: {}", `sink: depends on postgres with condition ""`},
		"waits for no answer":  {"kafka: {condition: service_healthy}", "dlq: {condition: service_healthy}", "depends on the health of dlq, which has no healthcheck"},
		"root":                 {"read_only: true", "read_only: true\n  user: root", "ingest: runs as root"},
		"writable":             {"read_only: true", "read_only: false", "ingest: can write to its image"},
		"capabilities":         {"cap_drop: [ALL]", "cap_drop: [CHOWN]", "ingest: keeps capabilities"},
		"privileges":           {"no-new-privileges:true", "label:disable", "ingest: may gain privileges"},
		"no restart policy":    {"restart: unless-stopped", "x-restart: always", "kafka: has no restart policy"},
		"no memory limit":      {"mem_limit: 1536m", "x-limit: 1536m", "kafka: has no mem_limit"},
		"published to all":     {"127.0.0.1:5432:5432", "5432:5432", "postgres: port 5432:5432 is not on the loopback address"},
		"two on one port":      {"127.0.0.1:5432:5432", "127.0.0.1:9092:5432", "host port 9092"},
		"file missing":         {"./deploy/prometheus/prometheus.yml:", "./deploy/prometheus/none.yml:", "prometheus: mounts deploy/prometheus/none.yml"},
		"writes to our files":  {"prometheus.yml:ro", "prometheus.yml:rw", "prometheus: mounts deploy/prometheus/prometheus.yml writable"},
		"volume missing":       {"- kafka:/var/lib", "- broker:/var/lib", "kafka: volume broker is not declared"},
		"variable misspelt":    {"HOOKSTREAM_SECRETS_DIR", "HOOKSTREAM_SECRET_DIR", "ingest: HOOKSTREAM_SECRET_DIR is not a variable"},
		"variable of no part":  {"HOOKSTREAM_BROKERS: kafka:19092", "HOOKSTREAM_BROKERS: broker:19092", "ingest: HOOKSTREAM_BROKERS names broker"},
		"listener of the host": {"HOOKSTREAM_BROKERS: kafka:19092", "HOOKSTREAM_BROKERS: kafka:9092", "ingest: HOOKSTREAM_BROKERS kafka:9092 is not advertised"},
	}
	whole := read(t, "docker-compose.yml")
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			broken := strings.ReplaceAll(whole, fault.old, fault.new)
			if broken == whole {
				t.Fatalf("docker-compose.yml has no %q to break", fault.old)
			}
			found := problems(parse(t, broken))
			if !slices.ContainsFunc(found, func(p string) bool { return strings.Contains(p, fault.want) }) {
				t.Errorf("no problem says %q; found %q", fault.want, found)
			}
		})
	}
}

// problems lists what is wrong in s, a sentence each, in a stable order.
func problems(s stack) []string {
	found := s.wrongServices()
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		each := s.Services[name]
		checks := [][]string{each.unpinned(), each.unlimited(), each.unhealthy(), s.unmet(each), s.unmounted(each), each.exposed(), s.unknown(each)}
		if slices.Contains(ours, name) {
			checks = append(checks, each.misbuilt(name), each.privileged())
		}
		for _, problem := range slices.Concat(checks...) {
			found = append(found, name+": "+problem)
		}
	}
	return append(found, s.portsTwice()...)
}

func (s stack) wrongServices() (found []string) {
	expected := slices.Concat(ours, parts)
	for _, name := range expected {
		if _, ok := s.Services[name]; !ok {
			found = append(found, name+": not in the file")
		}
	}
	for name := range s.Services {
		if !slices.Contains(expected, name) {
			found = append(found, name+": not expected: add it to this test's lists")
		}
	}
	return found
}

func (s service) unpinned() []string {
	if s.Build == nil && !pinned(s.Image) {
		return []string{fmt.Sprintf("image %s is not pinned to a version", s.Image)}
	}
	return nil
}

// pinned reports whether image names one version: a digest, or a tag that does
// not move. The port of a registry is not a tag.
func pinned(image string) bool {
	if _, digest, ok := strings.Cut(image, "@"); ok {
		return strings.HasPrefix(digest, "sha256:") && len(digest) == len("sha256:")+64
	}
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return strings.ContainsAny(tag, "0123456789")
}

func (s service) unlimited() (found []string) {
	if s.MemLimit == "" {
		found = append(found, "has no mem_limit")
	}
	if s.Restart == "" {
		found = append(found, "has no restart policy")
	}
	return found
}

func (s service) unhealthy() []string {
	switch check := s.Healthcheck; {
	case check == nil && s.NoHealthcheck == "":
		return []string{"has neither a healthcheck nor a reason for having none (x-no-healthcheck)"}
	case check == nil:
		return nil
	case s.NoHealthcheck != "":
		return []string{"has a healthcheck and a reason for having none"}
	case len(check.Test) < 2 || check.Interval == "" || check.Timeout == "" || check.Retries == 0:
		return []string{"healthcheck lacks a test, an interval, a timeout or retries"}
	case s.Build != nil && !slices.Equal(check.Test, []string{"CMD", entrypoint, "healthcheck"}):
		return []string{fmt.Sprintf("healthcheck %v: the image holds nothing but %s", check.Test, entrypoint)}
	}
	return nil
}

func (s stack) unmet(each service) (found []string) {
	for name, wanted := range each.DependsOn {
		target, ok := s.Services[name]
		switch {
		case !ok:
			found = append(found, fmt.Sprintf("depends on %s, which is not in the file", name))
		case wanted.Condition != "service_healthy" && wanted.Condition != "service_started":
			found = append(found, fmt.Sprintf("depends on %s with condition %q", name, wanted.Condition))
		case wanted.Condition == "service_healthy" && target.Healthcheck == nil:
			found = append(found, fmt.Sprintf("depends on the health of %s, which has no healthcheck", name))
		}
	}
	return found
}

// unmounted checks that a mounted file is in the repository and mounted to be
// read, and that a mounted volume is declared.
func (s stack) unmounted(each service) (found []string) {
	for _, mount := range each.Volumes {
		source, target, _ := strings.Cut(mount, ":")
		path, local := strings.CutPrefix(source, "./")
		if !local {
			if _, ok := s.Volumes[source]; !ok {
				found = append(found, fmt.Sprintf("volume %s is not declared", source))
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			found = append(found, fmt.Sprintf("mounts %s: %v", path, err))
		}
		if !strings.HasSuffix(target, ":ro") {
			found = append(found, fmt.Sprintf("mounts %s writable", path))
		}
	}
	return found
}

func (s service) exposed() (found []string) {
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			found = append(found, fmt.Sprintf("port %s is not on the loopback address", port))
		}
	}
	return found
}

func (s stack) portsTwice() (found []string) {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		for _, port := range s.Services[name].Ports {
			host := strings.TrimPrefix(port[:strings.LastIndex(port, ":")], "127.0.0.1:")
			if first, taken := owner[host]; taken {
				found = append(found, fmt.Sprintf("%s: host port %s is %s's", name, host, first))
			}
			owner[host] = name
		}
	}
	return found
}

// unknown checks the variables of ours: that the name is one, and that the host
// it points to is in the file.
func (s stack) unknown(each service) (found []string) {
	for name := range each.Environment {
		if strings.HasPrefix(name, "HOOKSTREAM_") && !slices.Contains(environment, name) {
			found = append(found, name+" is not a variable that a service reads")
		}
	}
	brokers, ok := each.Environment["HOOKSTREAM_BROKERS"]
	if !ok {
		return found
	}
	host, _, err := net.SplitHostPort(brokers)
	broker, in := s.Services[host]
	switch {
	case err != nil || !in:
		found = append(found, fmt.Sprintf("HOOKSTREAM_BROKERS names %s, which is not in the file", host))
	case !strings.Contains(broker.Environment["KAFKA_ADVERTISED_LISTENERS"], "://"+brokers):
		found = append(found, fmt.Sprintf("HOOKSTREAM_BROKERS %s is not advertised by the broker", brokers))
	}
	return found
}

func (s service) misbuilt(name string) []string {
	switch {
	case s.Build == nil || s.Build.Context != ".":
		return []string{"is not built from this repository"}
	case cmp.Or(s.Build.Args["PROGRAM"], s.Build.Args["SERVICE"]) != strings.TrimSuffix(name, "-api"):
		return []string{fmt.Sprintf("built with SERVICE=%s PROGRAM=%s", s.Build.Args["SERVICE"], s.Build.Args["PROGRAM"])}
	}
	return nil
}

func (s service) privileged() (found []string) {
	if user, _, _ := strings.Cut(s.User, ":"); user == "root" || user == "0" {
		found = append(found, "runs as root")
	}
	if !s.ReadOnly {
		found = append(found, "can write to its image")
	}
	if !slices.Contains(s.CapDrop, "ALL") {
		found = append(found, "keeps capabilities")
	}
	if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		found = append(found, "may gain privileges")
	}
	return found
}

func parse(t *testing.T, text string) stack {
	t.Helper()
	var s stack
	if err := yaml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("parse docker-compose.yml: %v", err)
	}
	return s
}

// read returns the text of a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
