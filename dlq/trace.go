// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/journey"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/terminal"
)

// TraceConfig is the command line of hookstream.
type TraceConfig struct {
	Kafka    kafka.Config    `embed:"" group:"kafka"`
	Database setting.Secret  `name:"database-url" group:"sources" help:"The sink's Postgres; only its ledger is read. Without it, what the sink did is unknown." env:"HOOKSTREAM_DATABASE_URL" placeholder:"URL"`
	Registry registry.Config `embed:"" prefix:"registry-" set:"registry_url=" group:"sources"`

	Trace   traceCommand     `cmd:"" help:"Print the journey of an event as a timeline."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

type traceCommand struct {
	ID string `arg:"" help:"Event id, fingerprint, business key, correlation id, trace id, dead letter ID, or topic/partition/offset."`

	By       string      `help:"What ID is: ${enum}." enum:"any,event,key,correlation,trace" default:"any"`
	Provider string      `help:"Only events of this provider." placeholder:"NAME"`
	Tenant   string      `help:"Only events of this tenant." placeholder:"NAME"`
	Since    filter.When `help:"Only what was received at or after: RFC 3339, a date, or an age such as 90m." placeholder:"TIME"`
	Until    filter.When `help:"Only what was received before." placeholder:"TIME"`
	Limit    int         `help:"Follow at most the newest N events." default:"20" placeholder:"N"`

	LedgerTimeout time.Duration `help:"How long to wait for each answer of the ledger." default:"10s" placeholder:"DURATION"`

	Output   string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`
	Body     bool   `help:"Print the request's body, byte for byte, and nothing else. It may hold personal data."`
	Delivery int    `help:"Of which delivery --body is." default:"1" placeholder:"N"`
	Open     bool   `help:"Print the links to the traces, and nothing else."`
	TraceURL string `help:"Link to a trace; {trace_id} stands for its id. By default that of a Jaeger on this machine, which a table does not show." env:"HOOKSTREAM_TRACE_URL" placeholder:"URL"`

	TransformGroup string `help:"Consumer group of transform." default:"hookstream-transform" env:"HOOKSTREAM_TRANSFORM_GROUP" placeholder:"NAME" is:"name"`
	SinkGroup      string `help:"Consumer group of the sink." default:"hookstream-sink" env:"HOOKSTREAM_SINK_GROUP" placeholder:"NAME" is:"name"`
}

// traceID is what the template of links has in the place of the trace's id.
const traceIDPlace = "{trace_id}"

// jaegerURL is where Jaeger has a trace.
const jaegerURL = "http://localhost:16686/trace/" + traceIDPlace

// maxLimit bounds what is kept in memory of the events that are followed.
const maxLimit = 10_000

// Validate checks the flags.
func (c *traceCommand) Validate() error {
	switch {
	case c.ID == "":
		return errors.New("ID is empty")
	case c.Limit < 1 || c.Limit > maxLimit:
		return fmt.Errorf("--limit %d: must be from 1 to %d", c.Limit, maxLimit)
	case c.Delivery < 1:
		return fmt.Errorf("--delivery %d: must be at least 1", c.Delivery)
	case c.LedgerTimeout <= 0:
		return fmt.Errorf("--ledger-timeout %s: must be positive", c.LedgerTimeout)
	case c.Body && c.Open:
		return errors.New("--body and --open: one at a time")
	case c.TraceURL != "" && !isLink(c.TraceURL):
		return errors.New("HOOKSTREAM_TRACE_URL must be an http or https URL, without a user or a password")
	case c.TraceURL != "" && !strings.Contains(c.TraceURL, traceIDPlace):
		return fmt.Errorf("--trace-url (HOOKSTREAM_TRACE_URL) %q: has no %s", c.TraceURL, traceIDPlace)
	case !c.Since.IsZero() && !c.Until.IsZero() && !c.Since.Before(c.Until.Time):
		return errors.New("--since is not before --until")
	}
	return setting.Check(c)
}

// isLink reports whether text is a URL that a person can be given.
func isLink(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// Hookstream runs the command line args of the program of that name and returns
// the exit code.
func Hookstream(ctx context.Context, c *console.Console, args []string) int {
	var cfg TraceConfig
	parser, err := kong.New(&cfg,
		kong.Name("hookstream"), kong.Description(traceDescription), kong.Writers(c.Out, c.Err),
		kong.Help(help), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": service.Version()},
		kong.ExplicitGroups([]kong.Group{
			{Key: "sources", Title: "What else to ask:"},
			{Key: "kafka", Title: "Kafka, as the services are configured (hookstream --help has all):"},
		}),
	)
	if err != nil {
		return reportAs("hookstream", c, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return reportAs("hookstream", c, usage("%w (see hookstream --help)", setting.Explain(parser.Model, err)))
	}
	s := &session{ctx: ctx, cfg: &cfg.Kafka, database: cfg.Database, Console: c}
	defer s.close() //nolint:contextcheck // the session has it
	return reportAs("hookstream", c, command.Run(s, &cfg.Registry))
}

// Run follows the events.
func (c *traceCommand) Run(s *session, r *registry.Config) error {
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.need(s.cfg.Topics.Raw, s.cfg.Topics.DeadLetters, s.cfg.Topics.Resolutions); err != nil {
		return err
	}
	search, done, err := c.search(s, r)
	if err != nil {
		return err
	}
	defer done()
	report, err := search.Find(s.ctx, journey.Query{
		ID: c.ID, By: journey.By(c.By), Tenant: c.Tenant, Provider: c.Provider, Since: c.Since.Time, Until: c.Until.Time, Limit: c.Limit,
	})
	if err != nil {
		return err
	}
	if c.TraceURL != "" || c.Open || c.Output != "table" {
		template := cmp.Or(c.TraceURL, jaegerURL)
		report.Link(func(id string) string { return strings.ReplaceAll(template, traceIDPlace, url.PathEscape(id)) })
	}
	if len(report.Events) == 0 {
		return c.notFound(s, report)
	}
	switch {
	case c.Body:
		return c.body(s, search, report)
	case c.Open:
		return c.links(s, report)
	case c.Output == "table":
		err = output.Journeys(s.Out, report, s.Color())
	default:
		err = output.Object(s.Out, c.Output, report)
	}
	if err == nil && report.Incomplete {
		return errIncomplete
	}
	return err
}

// search connects to what else is configured. Neither is needed: what cannot be
// asked is unknown, and the report says why.
func (c *traceCommand) search(s *session, r *registry.Config) (*journey.Search, func(), error) {
	progress := s.Progress()
	search := &journey.Search{
		Kafka: s.cfg, Client: s.client, Topics: s.topics, Log: s.log,
		TransformGroup: c.TransformGroup, SinkGroup: c.SinkGroup,
		Progress: func(records int64) { progress.Show("%s records read", output.Number(int(records))) },
	}
	done := progress.End
	if r.URL != "" {
		client, err := r.Client()
		if err != nil {
			return nil, nil, usageError{fmt.Errorf("HOOKSTREAM_REGISTRY_URL: %w", err)}
		}
		search.Decoder = registry.NewDecoder(client)
	}
	if s.database != "" {
		ctx, cancel := context.WithTimeout(s.ctx, c.LedgerTimeout)
		defer cancel()
		conn, err := outcome.Connect(ctx, s.database.Reveal())
		if err != nil {
			search.Unread = err
			return search, done, s.ctx.Err()
		}
		search.Ledger = journey.NewLedger(conn, c.LedgerTimeout)
		done = func() {
			progress.End()
			_ = conn.Close(context.WithoutCancel(s.ctx)) // it was only read
		}
	}
	return search, done, nil
}

// notFound says how far was looked.
func (c *traceCommand) notFound(s *session, report *journey.Report) error {
	if c.Output != "table" && !c.Body && !c.Open {
		if err := output.Object(s.Out, c.Output, report); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Err, "hookstream: nothing found by the ID %s\n", terminal.Clean(c.ID))
	output.NotFound(s.Err, report)
	if report.Incomplete {
		return errIncomplete
	}
	return errPartial
}

func (c *traceCommand) links(s *session, report *journey.Report) error {
	links := report.Links()
	if len(links) == 0 {
		fmt.Fprintln(s.Err, "hookstream: the event was not traced: no record has a traceparent")
		return errPartial
	}
	for _, l := range links {
		fmt.Fprintln(s.Out, terminal.Clean(l))
	}
	return nil
}

// body prints the body of one delivery as it was sent.
func (c *traceCommand) body(s *session, search *journey.Search, report *journey.Report) error {
	if len(report.Events) > 1 || report.More > 0 {
		return usage("--body: %s is %s events; give the event id of one, or --provider", c.ID, output.Number(len(report.Events)+report.More))
	}
	deliveries := report.Events[0].Deliveries
	if c.Delivery > len(deliveries) {
		return usage("--delivery %d: there are %d", c.Delivery, len(deliveries))
	}
	body, err := search.Body(s.ctx, deliveries[c.Delivery-1])
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "hookstream: the body as it was sent, %s bytes; it may hold personal data\n", output.Number(len(body)))
	if s.OutTerminal {
		_, err = fmt.Fprintln(s.Out, terminal.CleanLines(string(body)))
		return err
	}
	_, err = s.Out.Write(body)
	return err
}
