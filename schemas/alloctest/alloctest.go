// SPDX-License-Identifier: Apache-2.0

// Package alloctest counts allocations, which tests hold where wall time could not
// be held.
package alloctest

import "testing" //nolint:depguard // only tests import this package

// runs are so many that one is undisturbed: with the race detector a sync.Pool
// loses every fourth thing that is put into it, and an event uses a few.
const runs = 100

// Fewest returns the allocations of f in the run that took the fewest. Unlike the
// average that testing.AllocsPerRun gives, it is the same on every run: pools that
// lose things, collections and other goroutines only ever add.
func Fewest(f func()) float64 {
	fewest := testing.AllocsPerRun(1, f)
	for range runs {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return fewest
}
