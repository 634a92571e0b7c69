// SPDX-License-Identifier: Apache-2.0

//go:build !chaos

package crash

// Armed is whether this build can crash itself.
const Armed = false

// At does nothing.
func At(Point) {}

// Has is false.
func Has(Bug) bool { return false }
