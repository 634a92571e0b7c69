// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

var errNotDecimal = errors.New("minor_units got something that is not a decimal amount")

// maxAmount bounds the text of an amount before it is parsed exactly.
const maxAmount = 40

// minorUnits is the jq function minor_units($currency): it turns a decimal
// amount, as a string or a number, into an integer of the currency's minor
// unit (ISO 4217). Null stays null. An amount with more digits than the
// currency has is an error: money is never rounded.
func minorUnits(v any, args []any) any {
	if v == nil {
		return nil
	}
	text, err := amountText(v)
	if err != nil {
		return err
	}
	code, ok := args[0].(string)
	if !ok {
		return errors.New("minor_units needs a currency code")
	}
	digits, ok := digitsOf(code)
	if !ok {
		return errors.New("minor_units does not know the currency")
	}
	return shift(text, digits)
}

func amountText(v any) (string, error) {
	var text string
	switch n := v.(type) {
	case string:
		text = n
	case int:
		text = strconv.Itoa(n)
	case float64:
		// The shortest text that reads back as the same double is what the
		// provider wrote.
		text = strconv.FormatFloat(n, 'f', -1, 64)
	case *big.Int:
		text = n.String()
	case json.Number:
		text = n.String()
	default:
		return "", fmt.Errorf("minor_units cannot be applied to %s", gojqType(v))
	}
	if len(text) > maxAmount {
		return "", errors.New("minor_units got an amount that is too long")
	}
	return text, nil
}

// shift multiplies a decimal by 10^scale exactly: it moves the point within the
// text. Exponents, fractions and other bases are not amounts.
func shift(text string, scale int) any {
	sign, unsigned := "", text
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign, unsigned = text[:1], text[1:]
	}
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if whole+fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return errNotDecimal
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > scale {
		return errors.New("minor_units got an amount with more digits than its currency has")
	}
	n, err := strconv.ParseInt(sign+"0"+whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
	if err != nil {
		return errors.New("minor_units got an amount beyond 64 bits")
	}
	return int(n)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
