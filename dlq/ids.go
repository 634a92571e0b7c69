// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/console"
)

// readIDs reads the IDs at the starts of lines. What follows a space or a tab,
// empty lines, comments after # and the head of dlq list -o tsv are passed over.
func readIDs(c *console.Console, file string) ([]string, error) {
	in := c.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--ids: %w", err)
		}
		defer f.Close()
		in = f
	}
	ids, err := parseIDs(in)
	if err != nil {
		return nil, fmt.Errorf("--ids %s: %w", file, err)
	}
	return ids, nil
}

func parseIDs(in io.Reader) ([]string, error) {
	var ids []string
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") || n == 1 && words[0] == "id" {
			continue
		}
		if err := validID(words[0]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		ids = append(ids, words[0])
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, errors.New("has no IDs")
	}
	return ids, nil
}
