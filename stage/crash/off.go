// SPDX-License-Identifier: Apache-2.0

//go:build !chaos

package crash

// At does nothing.
func At(Point) {}

// Has is false.
func Has(Bug) bool { return false }
