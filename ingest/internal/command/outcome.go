// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/example"
	"github.com/hookstream/hookstream/stage/terminal"
)

// maxText is how many bytes of an event a line has.
const maxText = 240

// outcomeLine says in a line what came of an example or a fixture.
func outcomeLine(o *example.Outcome) string {
	var came []string
	for _, e := range o.Events {
		came = append(came, eventText(e))
	}
	switch {
	case o.Refused != "":
		came = []string{"refused, " + o.Refused}
	case len(came) == 0:
		came = []string{fmt.Sprintf("answered %d, nothing is stored", o.Status)}
	}
	return o.File + ": " + strings.Join(came, "; ")
}

func eventText(e *example.Event) string {
	switch {
	case e.Reason != "":
		return "a dead letter, " + string(e.Reason)
	case e.Dropped:
		return "no event: the definition drops " + terminal.Clean(e.EventType)
	}
	text := e.Entity + " " + e.ID
	if e.Deleted {
		text += " (deletion)"
	}
	fields, err := json.Marshal(e.Fields)
	if err != nil {
		fields = []byte(err.Error())
	}
	text += " " + string(fields)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + " …"
	}
	return terminal.Clean(text)
}
