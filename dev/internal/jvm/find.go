// SPDX-License-Identifier: Apache-2.0

// Package jvm runs Java programs from their Maven artifacts, for development and
// tests: it finds Java, has Maven fetch the program once, and ties the program's
// life to ours, or lets it live on until it is stopped.
package jvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ErrMissing means that Java, in the version asked for, or Maven is not on this
// machine. The message says what to install.
var ErrMissing = errors.New("not found on this machine")

// installations are where packages put Java without touching PATH.
var installations = []string{
	"/usr/lib/jvm/*/bin/java",                                    // Debian, Ubuntu, Red Hat
	"/opt/homebrew/opt/openjdk*/bin/java",                        // Homebrew, Apple silicon
	"/usr/local/opt/openjdk*/bin/java",                           // Homebrew, Intel
	"/Library/Java/JavaVirtualMachines/*/Contents/Home/bin/java", // macOS installers
}

// Find returns a java of that major version or newer: $JAVA_HOME's, else the one
// in PATH, else any of the usual installations.
func Find(ctx context.Context, atLeast int) (string, error) {
	for _, java := range candidates() {
		if version, err := majorVersion(ctx, java); err == nil && version >= atLeast {
			return java, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("java %d or newer: %w: install it "+
		"(Debian, Ubuntu: apt-get install openjdk-%[1]d-jre-headless; macOS: brew install openjdk), "+
		"or set JAVA_HOME to its folder", atLeast, ErrMissing)
}

func candidates() []string {
	var found []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		found = append(found, filepath.Join(home, "bin", "java"))
	}
	if java, err := exec.LookPath("java"); err == nil {
		found = append(found, java)
	}
	for _, pattern := range installations {
		matches, _ := filepath.Glob(pattern) // fails only for a bad pattern
		found = append(found, matches...)
	}
	return found
}

var specification = regexp.MustCompile(`java\.specification\.version = (\d+)`)

// majorVersion asks java itself: macOS has a java that only says to install one.
func majorVersion(ctx context.Context, java string) (int, error) {
	out, err := exec.CommandContext(ctx, java, "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return 0, err
	}
	match := specification.FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%s does not tell its version", java)
	}
	return strconv.Atoi(string(match[1])) // Java 8 says 1.8, which is older than all we ask for
}

func findMaven() (string, error) {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("maven's mvn: %w: install it "+
			"(Debian, Ubuntu: apt-get install maven; macOS: brew install maven)", ErrMissing)
	}
	return mvn, nil
}
