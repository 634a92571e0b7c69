// SPDX-License-Identifier: Apache-2.0

// Package pgrelease fetches the programs of a PostgreSQL release, to run tests on
// versions that the machine does not have.
package pgrelease

import (
	"bytes"
	"context"
	_ "embed" // for the pom
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"text/template"

	"github.com/hookstream/hookstream/dev/internal/jvm"
)

// releases are what is fetched for a major version.
var releases = map[int]string{15: "15.19.0", 16: "16.15.0", 17: "17.11.0", 18: "18.6.0"}

//go:embed pom.xml
var pom string

var pomTemplate = template.Must(template.New("pom.xml").Parse(pom))

// Unpack puts the programs of a major version into the folder, and returns where
// initdb, postgres and pg_ctl are: there is no more in that distribution. Maven
// fetches it once.
func Unpack(ctx context.Context, major int, dir string, log *slog.Logger) (bin string, err error) {
	project, err := projectOf(major)
	if err != nil {
		return "", err
	}
	fetched, err := jvm.Artifacts(ctx, "", "postgres", project, log)
	if err != nil {
		return "", err
	}
	archives, err := filepath.Glob(filepath.Join(fetched, "postgres-*.txz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("%s holds %d archives of PostgreSQL, want one: delete the folder to fetch it again", fetched, len(archives))
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xJf", archives[0], "-C", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s (are tar and xz installed?): %w: %s", archives[0], err, bytes.TrimSpace(out))
	}
	bin = filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archives[0], err)
	}
	return bin, nil
}

// projectOf is the pom that names the release for this machine.
func projectOf(major int) ([]byte, error) {
	version, ok := releases[major]
	if !ok {
		return nil, fmt.Errorf("PostgreSQL %d is not among the versions that are tested: %v", major, slices.Sorted(maps.Keys(releases)))
	}
	architecture := runtime.GOARCH
	if architecture == "arm64" {
		architecture = "arm64v8"
	}
	var project bytes.Buffer
	err := pomTemplate.Execute(&project, map[string]string{"Platform": runtime.GOOS + "-" + architecture, "Version": version})
	return project.Bytes(), err
}
