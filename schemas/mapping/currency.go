// SPDX-License-Identifier: Apache-2.0

package mapping

import "strings"

// minorDigits lists the currencies whose minor unit is not a hundredth
// (ISO 4217:2015, list one). CLDR's digits, which libraries offer, are for
// display: they write Colombian pesos without cents, and money moves with them.
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// digitsOf is how many digits a currency's minor unit has. It reports false for
// what is no currency code.
func digitsOf(code string) (int, bool) {
	if digits, ok := minorDigits[code]; ok {
		return digits, true
	}
	return 2, len(code) == 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
