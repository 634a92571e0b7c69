// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Version is what the binaries that Start would run say of themselves, for
// example "postgres (PostgreSQL) 18.6". The error is ErrNoBinaries where there
// are none.
func Version(ctx context.Context) (string, error) {
	bin, err := findBinaries(installations)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("postgres --version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
