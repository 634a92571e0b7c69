// SPDX-License-Identifier: Apache-2.0

package service

import "runtime/debug"

// version is set when a release or an image is built:
// -ldflags "-X github.com/hookstream/hookstream/stage/service.version=v1.2.3".
var version string

// unversioned is the version of a build that knows nothing of itself.
const unversioned = "unversioned"

// Version is what the binary was built from: the version that the build was given, else
// the commit, else the module's version.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unversioned
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	// Go's word for a main module that was built in its own folder.
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return unversioned
}
