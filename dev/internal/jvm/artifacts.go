// SPDX-License-Identifier: Apache-2.0

package jvm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// CacheDir is where artifacts are kept unless told otherwise.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep what Maven fetches: %w", err)
	}
	return filepath.Join(dir, "hookstream"), nil
}

// Artifacts returns the folder of what the pom's generate-resources phase puts
// into ${output}. Maven runs only if that folder is not in the cache yet; its
// name has the pom's digest, so another version gets another folder. Processes
// that ask at once share one run. An empty cacheDir means CacheDir.
func Artifacts(ctx context.Context, cacheDir, name string, pom []byte, log *slog.Logger) (string, error) {
	if cacheDir == "" {
		var err error
		if cacheDir, err = CacheDir(); err != nil {
			return "", err
		}
	}
	cacheDir, err := filepath.Abs(cacheDir)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cacheDir, fmt.Sprintf("%s-%.6x", name, sha256.Sum256(pom)))
	if found, err := exists(dir); found || err != nil {
		return dir, err
	}
	if err := os.MkdirAll(cacheDir, 0o750); err != nil {
		return "", err
	}
	lock, err := Lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if found, err := exists(dir); found || err != nil {
		return dir, err
	}
	log.Info("fetching with Maven, once", "what", name, "into", dir)
	if err := fetch(ctx, dir, pom); err != nil {
		return "", fmt.Errorf("fetch %s into %s: %w", name, dir, err)
	}
	return dir, nil
}

// fetch has Maven fill a folder beside dir, which gets its name only when it is
// complete. The caller holds the lock.
func fetch(ctx context.Context, dir string, pom []byte) error {
	mvn, err := findMaven()
	if err != nil {
		return err
	}
	project := dir + ".new"
	if err := os.RemoveAll(project); err != nil { // of a run that was killed
		return err
	}
	defer func() { _ = os.RemoveAll(project) }()
	if err := os.Mkdir(project, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(project, "pom.xml"), pom, 0o600); err != nil {
		return err
	}
	output := filepath.Join(project, "output")
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--strict-checksums", "-Doutput="+output, "generate-resources")
	cmd.Dir = project
	cmd.WaitDelay = 5 * time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("mvn: %w: %s", err, firstLines(said, 3))
	}
	return os.Rename(output, dir)
}

// firstLines are the first lines of Maven's output; the rest is how to ask it
// for more.
func firstLines(text []byte, n int) string {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return strings.Join(lines[:min(n, len(lines))], "; ")
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
