// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Target is the installation to look at.
type Target struct {
	Kafka       kafka.Config
	RegistryURL string
	DatabaseURL string
	// Schema of the entity tables.
	Schema string
	Log    *slog.Logger
}

var serialPattern = regexp.MustCompile(`"hookstream_serial":"([^"]+)"`)

// Collect reads everything of the plan's run.
func (t *Target) Collect(ctx context.Context, plan *workload.Plan) (*Observed, error) {
	seen := &Observed{Raw: map[string][]Position{}, Replays: map[Replay]int{}, Rows: map[RowKey]Row{}, Ledger: map[string]int{}}
	registry, err := sr.NewClient(sr.URLs(t.RegistryURL))
	if err != nil {
		return nil, err
	}
	c := collector{target: t, plan: plan, seen: seen, registry: registry, schemas: map[uint32]*avro.Schema{}}
	return seen, errors.Join(c.raw(ctx), c.events(ctx), c.deadLetters(ctx), c.database(ctx))
}

type collector struct {
	target   *Target
	plan     *workload.Plan
	seen     *Observed
	registry *sr.Client
	schemas  map[uint32]*avro.Schema
}

func (c *collector) read(ctx context.Context, topics []string, each func(*kgo.Record) error) error {
	parts := kafka.Partitions{}
	for _, t := range topics {
		parts[t] = nil
	}
	return c.target.Kafka.ReadToEnd(ctx, "hookstream-check", c.target.Log, parts, each)
}

// ours is the serial in a body, where it is of this run.
func (c *collector) ours(body []byte) (string, bool) {
	m := serialPattern.FindSubmatch(body)
	if m == nil || !strings.HasPrefix(string(m[1]), c.plan.Run+"-") {
		return "", false
	}
	return string(m[1]), true
}

func (c *collector) raw(ctx context.Context) error {
	return c.read(ctx, []string{c.target.Kafka.Topics.Raw}, func(r *kgo.Record) error {
		serial, ok := c.ours(r.Value)
		if !ok {
			return nil
		}
		// A replayed record is a second copy by intent, and must be the only one.
		if count := header(r, "hookstream-replay-count"); count != "" {
			origin, err := position(r, "hookstream-origin-")
			if err != nil {
				return fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
			}
			c.seen.Replays[Replay{origin, count}]++
			return nil
		}
		c.seen.Raw[serial] = append(c.seen.Raw[serial], Position{r.Topic, r.Partition, r.Offset})
		return nil
	})
}

// position is the one in headers whose names begin alike: where a replayed record was
// stored first, or where a dead letter's failed.
func position(r *kgo.Record, headers string) (Position, error) {
	partition, err := strconv.ParseInt(header(r, headers+"partition"), 10, 32)
	if err != nil {
		return Position{}, err
	}
	offset, err := strconv.ParseInt(header(r, headers+"offset"), 10, 64)
	if err != nil {
		return Position{}, err
	}
	return Position{header(r, headers+"topic"), int32(partition), offset}, nil
}

func (c *collector) entities() []string {
	var names []string
	for _, e := range c.plan.Events {
		if e.Want.Entity != "" && !slices.Contains(names, e.Want.Entity) {
			names = append(names, e.Want.Entity)
		}
	}
	slices.Sort(names)
	return names
}

func (c *collector) eventTopics() []string {
	var topics []string
	for _, e := range c.entities() {
		topics = append(topics, c.target.Kafka.Topics.Events(e))
	}
	return topics
}

func (c *collector) events(ctx context.Context) error {
	return c.read(ctx, c.eventTopics(), func(r *kgo.Record) error {
		meta, err := c.meta(ctx, r.Value)
		if err != nil {
			return fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		identity := fmt.Sprint(meta["provider"], " ", meta["event_id"])
		if !strings.Contains(identity, c.plan.Run) {
			return nil
		}
		partition, _ := meta["raw_partition"].(int32)
		offset, _ := meta["raw_offset"].(int64)
		c.seen.Published = append(c.seen.Published, Published{
			Position: Position{r.Topic, r.Partition, r.Offset}, Key: string(r.Key),
			Identity: identity, RawPartition: partition, RawOffset: offset,
		})
		return nil
	})
}

// meta decodes a value in the registry's wire format, as any consumer would.
func (c *collector) meta(ctx context.Context, value []byte) (map[string]any, error) {
	if len(value) < 5 || value[0] != 0 {
		return nil, errors.New("value is not in wire format")
	}
	id := binary.BigEndian.Uint32(value[1:5])
	schema, ok := c.schemas[id]
	if !ok {
		text, err := c.registry.SchemaByID(ctx, int(id))
		if err != nil {
			return nil, fmt.Errorf("schema %d: %w", id, err)
		}
		if schema, err = avro.Parse(text.Schema); err != nil {
			return nil, fmt.Errorf("schema %d: %w", id, err)
		}
		c.schemas[id] = schema
	}
	var record map[string]any
	if _, err := schema.Decode(value[5:], &record); err != nil {
		return nil, err
	}
	meta, _ := record["meta"].(map[string]any)
	return meta, nil
}

func (c *collector) deadLetters(ctx context.Context) error {
	return c.read(ctx, []string{c.target.Kafka.Topics.DeadLetters}, func(r *kgo.Record) error {
		if header(r, "hookstream-replay-count") != "" {
			return nil // failed again
		}
		failed, err := position(r, "__connect.errors.")
		if err != nil {
			return fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		d := DeadLetter{
			Failed: failed,
			ID: strings.Join([]string{
				header(r, "__connect.errors.stage"), header(r, "__connect.errors.topic"),
				header(r, "__connect.errors.partition"), header(r, "__connect.errors.offset"),
			}, " "),
			Stage: header(r, "__connect.errors.stage"), Reason: header(r, "hookstream-failure-reason"),
		}
		if serial, ok := c.ours(r.Value); ok && d.Stage == "transform" {
			d.Serial = serial
		} else if meta, err := c.meta(ctx, r.Value); err == nil {
			d.Identity = fmt.Sprint(meta["provider"], " ", meta["event_id"])
		}
		c.seen.DeadLetters = append(c.seen.DeadLetters, d)
		return nil
	})
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func (c *collector) database(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.target.DatabaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, entity := range c.entities() {
		if err := c.rows(ctx, conn, entity); err != nil {
			return fmt.Errorf("rows of %s: %w", entity, err)
		}
	}
	return c.ledger(ctx, conn)
}

// columns are those that the plan wants of an entity.
func (c *collector) columns(entity string) []string {
	var names []string
	for _, e := range c.plan.Events {
		if e.Want.Entity != entity {
			continue
		}
		for name := range e.Want.Columns {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (c *collector) rows(ctx context.Context, conn *pgx.Conn, entity string) error {
	columns := c.columns(entity)
	query := "SELECT provider, id, deleted"
	for _, name := range columns {
		query += ", coalesce(" + pgx.Identifier{name}.Sanitize() + "::text, '')"
	}
	query += " FROM " + pgx.Identifier{c.target.Schema, entity}.Sanitize()
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		key := RowKey{Entity: entity}
		row := Row{Columns: map[string]string{}}
		values := make([]string, len(columns))
		dest := []any{&key.Provider, &key.ID, &row.Deleted}
		for i := range values {
			dest = append(dest, &values[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, name := range columns {
			row.Columns[name] = values[i]
		}
		c.seen.Rows[key] = row
	}
	return rows.Err()
}

func (c *collector) ledger(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT provider, event_id FROM hookstream.events WHERE position($1 in event_id) > 0`, c.plan.Run)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var provider, id string
		if err := rows.Scan(&provider, &id); err != nil {
			return err
		}
		c.seen.Ledger[provider+" "+id]++
	}
	return rows.Err()
}
