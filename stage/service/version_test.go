// SPDX-License-Identifier: Apache-2.0

package service

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	for want, info := range map[string]debug.BuildInfo{
		"0123456789ab": {Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}}},
		"v1.2.3":       {Main: debug.Module{Version: "v1.2.3"}},
		"unversioned":  {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := versionOf(&info); got != want {
			t.Errorf("the version of %+v is %s, want %s", info, got, want)
		}
	}
}
