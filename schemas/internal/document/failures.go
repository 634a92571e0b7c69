// SPDX-License-Identifier: Apache-2.0

package document

import (
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/schemas/reason"
)

const failures = `# Failures

Generated from ` + "`schemas/reason`" + `; do not edit. Every dead letter has one of these reasons.
The set is closed: a code is added here or does not exist, and a code never changes its
meaning. Dead letters carry it in the header ` + "`hookstream-failure-reason`" + `, metrics in the
label ` + "`reason`" + `, and ` + "`dlq list --reason`" + ` filters by it.

The message beside the reason names the field, expression or constraint. ` + "`dlq stats`" + ` groups
equal failures whatever ids and numbers their messages hold.

| reason | who must act | a replay |
|---|---|---|
`

// Failures is the page about every reason of a dead letter.
func Failures() string {
	var b strings.Builder
	b.WriteString(failures)
	for _, i := range reason.All() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", i.Code, i.Code, i.Who, helps(i.Replayable, "helps, once that is done", "does not help"))
	}
	for _, i := range reason.All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n- **Who must act**: %s\n- **What to do**: %s\n- **Replay**: %s\n", i.Code, i.Meaning, i.Who, i.Act,
			helps(i.Replayable, "succeeds once that is done.", "fails again as it is."))
	}
	return b.String()
}

func helps(replayable bool, yes, no string) string {
	if replayable {
		return yes
	}
	return no
}
