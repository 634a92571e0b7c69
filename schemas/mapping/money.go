// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
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

// decimal is what an amount may look like. big.Rat reads more: fractions,
// other bases, underscores, and exponents, with which a short text is an
// enormous number.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// shift multiplies a decimal by 10^scale exactly.
func shift(text string, scale int) any {
	if !decimal.MatchString(text) {
		return errNotDecimal
	}
	amount, ok := new(big.Rat).SetString(text)
	if !ok {
		return errNotDecimal
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	amount.Mul(amount, new(big.Rat).SetInt(factor))
	if !amount.IsInt() {
		return errors.New("minor_units got an amount with more digits than its currency has")
	}
	n := amount.Num()
	if !n.IsInt64() {
		return errors.New("minor_units got an amount beyond 64 bits")
	}
	return int(n.Int64())
}
