// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/hookstream/hookstream/dev/internal/jvm"
	"github.com/hookstream/hookstream/dev/kafka"
)

const javaVersion = 17 // what Kafka 4 needs at least

var serverProperties = template.Must(template.New("server.properties").Parse(kafka.ServerProperties))

// launcher starts the brokers of one data folder.
type launcher struct {
	Options

	layout layout
	java   string
	jars   string // folder of Kafka's jars
}

// jvmFlags make a JVM small and quick to start: the first compiler only halves
// the start, and one thread collects a small heap best.
func (l *launcher) jvmFlags(heap string) []string {
	return []string{
		"-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Dlog4j2.configurationFile=log4j2.xml", "-Dlog4j2.disableJmx=true",
		"-cp", filepath.Join(l.jars, "*"),
	}
}

// open finds or fetches what is needed and makes the folder. Nothing is started.
func open(ctx context.Context, o Options) (*launcher, error) {
	java, err := jvm.Find(ctx, javaVersion)
	if err != nil {
		return nil, err
	}
	jars, err := jvm.Artifacts(ctx, o.CacheDir, "kafka", kafka.Pom, o.Log)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(o.DataDir, "log"), 0o750); err != nil {
		return nil, err
	}
	return &launcher{Options: o, java: java, jars: jars}, nil
}

// prepare configures the brokers and formats their storage if that is new.
func (l *launcher) prepare(ctx context.Context) error {
	errs := make([]error, len(l.layout.Brokers))
	var formatting sync.WaitGroup
	for i, b := range l.layout.Brokers {
		formatting.Go(func() {
			if errs[i] = l.configure(b); errs[i] == nil {
				errs[i] = l.format(ctx, b)
			}
		})
	}
	formatting.Wait()
	return errors.Join(errs...)
}

func (l *launcher) configure(b broker) error {
	dir := b.dir(l.DataDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.xml"), kafka.Log4j2, 0o600); err != nil {
		return err
	}
	for name, data := range map[string]string{"server.properties": "data", "format.properties": "data.new"} {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(l.writeProperties(file, b, data), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// writeProperties writes the broker's configuration with its log.dirs.
func (l *launcher) writeProperties(file io.Writer, b broker, data string) error {
	n := len(l.layout.Brokers)
	return serverProperties.Execute(file, struct {
		Broker              broker
		Brokers             []broker
		Data                string
		Replication, InSync int
	}{b, l.layout.Brokers, data, n, n/2 + 1})
}

// format prepares the broker's storage, unless it is. The folder gets its name
// only when complete: an interrupted format starts over.
func (l *launcher) format(ctx context.Context, b broker) error {
	dir := b.dir(l.DataDir)
	data, temporary := filepath.Join(dir, "data"), filepath.Join(dir, "data.new")
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	args := append(l.jvmFlags("128m"), "kafka.tools.StorageTool", "format",
		"--config", "format.properties", "--cluster-id", l.layout.ClusterID)
	cmd := exec.CommandContext(ctx, l.java, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format storage of broker %d: %w: %s", b.ID, err, strings.TrimSpace(string(said)))
	}
	return os.Rename(temporary, data)
}

// start starts a configured broker and does not wait for it.
func (l *launcher) start(ctx context.Context, b broker, detach bool) (*jvm.Process, error) {
	process, err := jvm.Start(ctx, jvm.Program{
		Java:   l.java,
		Args:   append(l.jvmFlags("512m"), "kafka.Kafka", "server.properties"),
		Dir:    b.dir(l.DataDir),
		Output: b.output(l.DataDir),
		Detach: detach,
	})
	if err != nil {
		return nil, fmt.Errorf("broker %d: %w", b.ID, err)
	}
	return process, nil
}

// explain adds the broker's last words to the reason why it is of no use.
func (l *launcher) explain(b broker, err error) error {
	output := b.output(l.DataDir)
	return fmt.Errorf("broker %d (%s): %w: %s", b.ID, output, err, jvm.Tail(output, 6))
}
