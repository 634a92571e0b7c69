// SPDX-License-Identifier: Apache-2.0

package instructions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
)

// MostRise is the share by which a path may take more than its baseline. Two runs
// of the same are 0.5 % apart at most.
const MostRise = 0.03

// Baseline are the counts that were accepted, by platform.
type Baseline map[string]Counts

// Load reads a baseline. A file that is not there holds nothing.
func Load(path string) (Baseline, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Baseline{}, nil
	}
	if err != nil {
		return nil, err
	}
	var b Baseline
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("%s holds no counts of instructions: %w", path, err)
	}
	return b, nil
}

// Save replaces what the baseline says of the paths that were counted here.
func (b Baseline) Save(path string, now Counts) error {
	here := b[Platform()]
	if here == nil {
		here = Counts{}
	}
	for name, n := range now {
		here[name] = math.Round(n)
	}
	b[Platform()] = here
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // to be read by everybody
}

// Risen are the paths that take more than they may.
func (b Baseline) Risen(paths []Path, now Counts) (risen []Path) {
	for _, p := range paths {
		if was, ok := b[Platform()][p.Name]; ok && now[p.Name] > was*(1+MostRise) {
			risen = append(risen, p)
		}
	}
	return risen
}

// Write prints what each path takes, beside its baseline.
func (b Baseline) Write(w io.Writer, paths []Path, now Counts) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%-33s %12s %12s %8s\n", "instructions", "baseline", "now", "change")
	for _, p := range paths {
		was, ok := b[Platform()][p.Name]
		if !ok {
			fmt.Fprintf(&out, "%-33s %12s %12.0f\n", p.Name, "-", now[p.Name])
			continue
		}
		change := now[p.Name]/was - 1
		verdict := ""
		if change > MostRise {
			verdict = "  ROSE"
		}
		fmt.Fprintf(&out, "%-33s %12.0f %12.0f %+7.1f%%%s\n", p.Name, was, now[p.Name], 100*change, verdict)
	}
	if b[Platform()] == nil {
		fmt.Fprintf(&out, "There is no baseline for %s: nothing was compared.\n", Platform())
	}
	_, err := io.WriteString(w, out.String())
	return err
}
