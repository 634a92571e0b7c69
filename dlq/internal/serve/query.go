// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/filter"
)

// params reads the parameters of a query, or the members of a filter in a body,
// and keeps the first error. Names that nobody asked for are errors too: a
// misspelt filter must not select everything.
type params struct {
	values url.Values
	read   map[string]bool
	err    error
}

func newParams(v url.Values) *params { return &params{values: v, read: map[string]bool{}} }

func (p *params) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// list has every value of a parameter.
func (p *params) list(name string) []string {
	p.read[name] = true
	return p.values[name]
}

// one is a parameter's only value, or the fallback.
func (p *params) one(name, fallback string) string {
	switch v := p.list(name); len(v) {
	case 0:
		return fallback
	case 1:
		return v[0]
	}
	p.fail("%s is given twice", name)
	return ""
}

func (p *params) oneOf(name, fallback string, allowed ...string) string {
	v := p.one(name, fallback)
	if !slices.Contains(allowed, v) {
		p.fail("%s is %.60q: want one of %s", name, v, strings.Join(allowed, ", "))
	}
	return v
}

func (p *params) int(name string, fallback, least, most int64) int64 {
	text := p.one(name, strconv.FormatInt(fallback, 10))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		p.fail("%s is %.60q: want a number from %d to %d", name, text, least, most)
	}
	return n
}

func (p *params) bool(name string, fallback bool) bool {
	return p.oneOf(name, strconv.FormatBool(fallback), "true", "false") == "true"
}

func (p *params) when(name string) filter.When {
	var w filter.When
	if text := p.one(name, ""); text != "" {
		if err := w.UnmarshalText([]byte(text)); err != nil {
			p.fail("%s: %w", name, err)
		}
	}
	return w
}

const (
	maxPartition = 1<<31 - 1
	maxOffset    = 1<<63 - 1
)

// filter reads what dlq's filter flags say, with _ for -.
func (p *params) filter() filter.Filter {
	f := filter.Filter{
		Stage: p.list("stage"), Provider: p.list("provider"), Tenant: p.list("tenant"), Type: p.list("type"),
		Reason: p.list("reason"), Fingerprint: p.list("fingerprint"), Key: p.list("key"), EventID: p.list("event_id"),
		Since: p.when("since"), Until: p.when("until"),
		FromOffset: p.int("from_offset", 0, 0, maxOffset), ToOffset: p.int("to_offset", 0, 0, maxOffset),
	}
	for _, text := range p.list("partition") {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			p.fail("partition is %.60q: want a number from 0 to %d", text, maxPartition)
		}
		f.Partition = append(f.Partition, int32(n))
	}
	values := 0
	for _, list := range p.values {
		values += len(list)
	}
	if values > maxValues {
		p.fail("the filter has %d values, at most %d are possible", values, maxValues)
	}
	if err := f.Validate(); err != nil && p.err == nil {
		p.err = errors.New(flag.ReplaceAllStringFunc(err.Error(), func(name string) string {
			return strings.ReplaceAll(strings.TrimLeft(name, "-"), "-", "_")
		}))
	}
	return f
}

// flag is how the command line writes a parameter's name.
var flag = regexp.MustCompile(`--[a-z]+(-[a-z]+)*`)

// end gives the first error, which may be a name that was not read.
func (p *params) end() error {
	for name := range p.values {
		if !p.read[name] {
			p.fail("there is no parameter %.60q", name)
		}
	}
	if p.err != nil {
		return InvalidError{p.err}
	}
	return nil
}

// members are a filter in a request body: each is a text, a number, or a list of
// those.
type members map[string]scalars

type scalars []string

// UnmarshalJSON reads one or several.
func (s *scalars) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		list = []json.RawMessage{data}
	}
	for _, item := range list {
		var text string
		var number json.Number
		switch {
		case json.Unmarshal(item, &text) == nil:
		case json.Unmarshal(item, &number) == nil:
			text = number.String()
		default:
			return errors.New("filter: want text, a number, or a list of those")
		}
		*s = append(*s, text)
	}
	return nil
}

func (m members) values() url.Values {
	values := url.Values{}
	for name, v := range m {
		values[name] = v
	}
	return values
}

func (m members) filter() (filter.Filter, error) {
	p := newParams(m.values())
	f := p.filter()
	return f, p.end()
}

// FilterNames are the names that a filter has.
func FilterNames() map[string]bool {
	p := newParams(url.Values{})
	p.filter()
	return p.read
}
