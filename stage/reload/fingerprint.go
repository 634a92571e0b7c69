// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Fingerprint is SHA-256 over files' names and contents. Times say nothing: how
// files are replaced differs, and a Kubernetes mount swaps a link two folders up.
type Fingerprint [sha256.Size]byte

// maxFile bounds what is read of one file, in bytes.
const maxFile = 1 << 20

// Files fingerprints the named files. An error names the one that cannot be read,
// or is larger than 1 MiB.
func Files(names ...string) (Fingerprint, error) {
	h := sha256.New()
	for _, name := range names {
		text, err := read(name)
		if err != nil {
			return Fingerprint{}, err
		}
		fmt.Fprintf(h, "%q %d\n", name, len(text))
		h.Write(text)
	}
	return Fingerprint(h.Sum(nil)), nil
}

// Folder fingerprints the files of dir whose names match pattern (path.Match). A
// folder that is not there is an error, one without a match is not. An empty dir
// is no folder, and stays the same.
func Folder(dir, pattern string) (Fingerprint, error) {
	if dir == "" {
		return Fingerprint{}, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return Fingerprint{}, err
	}
	names, err := fs.Glob(os.DirFS(dir), pattern)
	if err != nil {
		return Fingerprint{}, err
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return Files(names...)
}

// Join fingerprints what several say together.
func Join(parts ...Fingerprint) Fingerprint {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p[:])
	}
	return Fingerprint(h.Sum(nil))
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	return text, err
}
