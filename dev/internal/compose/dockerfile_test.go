// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// entrypoint is where every image of ours keeps its one binary.
const entrypoint = "/app/service"

func TestDockerfile(t *testing.T) {
	for _, problem := range dockerfileProblems(read(t, "Dockerfile"), goVersion(t)) {
		t.Error(problem)
	}
}

func TestDockerfileFaults(t *testing.T) {
	faults := map[string]struct{ old, new, want string }{
		"root":         {"USER 65532:65532", "USER 0:0", `runs as user "0:0"`},
		"named user":   {"USER 65532:65532", "USER nonroot", `runs as user "nonroot"`},
		"no user":      {"USER 65532:65532", "", `runs as user ""`},
		"floating":     {"golang:1.26.8-bookworm", "golang:latest", "image golang:latest is not pinned"},
		"no digest":    {"@sha256:afa5", "@sha256:", "is not pinned"},
		"old compiler": {"golang:1.26.8", "golang:1.25.3", "golang:1.25.3-bookworm is not Go"},
		"cgo":          {"CGO_ENABLED=0", "CGO_ENABLED=1", "CGO_ENABLED=0"},
		"paths":        {"-trimpath", "", "-trimpath"},
		"entrypoint":   {`["/app/service"]`, "/app/service", "ENTRYPOINT"},
	}
	whole, version := read(t, "Dockerfile"), goVersion(t)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			broken := strings.ReplaceAll(whole, fault.old, fault.new)
			if broken == whole {
				t.Fatalf("Dockerfile has no %q to break", fault.old)
			}
			found := dockerfileProblems(broken, version)
			if !slices.ContainsFunc(found, func(p string) bool { return strings.Contains(p, fault.want) }) {
				t.Errorf("no problem says %q; found %q", fault.want, found)
			}
		})
	}
}

// TestDockerignore checks that every module of the workspace reaches the build:
// go build refuses a go.work that names a module which is not there.
func TestDockerignore(t *testing.T) {
	kept := strings.Split(read(t, ".dockerignore"), "\n")
	modules := regexp.MustCompile(`(?m)^\s+\./(\w+)$`).FindAllStringSubmatch(read(t, "go.work"), -1)
	if len(modules) < len(ours) {
		t.Fatalf("found %d modules in go.work", len(modules))
	}
	for _, module := range modules {
		if !slices.Contains(kept, "!"+module[1]) && !slices.Contains(kept, "!"+module[1]+"/go.mod") {
			t.Errorf(".dockerignore hides %s/go.mod, which go.work names", module[1])
		}
	}
}

// dockerfileProblems lists what is wrong in the text of a Dockerfile whose
// modules need Go version, such as 1.26.
func dockerfileProblems(text, version string) (found []string) {
	var stages, built []string
	last := map[string]string{} // the instructions of the stage read last
	for _, line := range instructions(text) {
		instruction, rest, _ := strings.Cut(line, " ")
		if instruction == "FROM" {
			image := strings.Fields(rest)[len(strings.Fields(rest))-1]
			if base, name, named := strings.Cut(rest, " AS "); named {
				image = strings.Fields(base)[len(strings.Fields(base))-1]
				built = append(built, name)
			}
			stages = append(stages, image)
			last = map[string]string{}
		}
		last[instruction] = rest
	}
	for _, image := range stages {
		if !slices.Contains(built, image) && !pinned(image) {
			found = append(found, fmt.Sprintf("image %s is not pinned to a version", image))
		}
	}
	if len(stages) < 2 || !strings.HasPrefix(stages[0], "golang:"+version+".") {
		found = append(found, fmt.Sprintf("%s is not Go %s, which go.work asks for, or is the only stage", stages[0], version))
	}
	for _, wanted := range []string{"CGO_ENABLED=0", "-trimpath", "--mount=type=cache", "ARG SERVICE"} {
		if !strings.Contains(text, wanted) {
			found = append(found, "the build lacks "+wanted)
		}
	}
	// Kubernetes' runAsNonRoot can check a number only.
	if user := last["USER"]; !regexp.MustCompile(`^[1-9]\d*(:[1-9]\d*)?$`).MatchString(user) {
		found = append(found, fmt.Sprintf("runs as user %q, not as a number other than 0", user))
	}
	if want := fmt.Sprintf("[%q]", entrypoint); last["ENTRYPOINT"] != want {
		found = append(found, fmt.Sprintf("ENTRYPOINT is %s, want %s: a shell would be needed, and take the signals", last["ENTRYPOINT"], want))
	}
	return found
}

// instructions returns the instructions of a Dockerfile, a line each.
func instructions(text string) (lines []string) {
	joined := strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// goVersion returns the language version of the workspace, such as 1.26.
func goVersion(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.work"))
	if match == nil {
		t.Fatal("go.work names no Go version")
	}
	return match[1]
}
