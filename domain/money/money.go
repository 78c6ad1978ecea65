// Package money turns decimal amounts into whole minor units of a currency of
// ISO 4217, and back, exactly. An amount is an int64 everywhere else.
//
// It is pure and uses no floating point.
package money

import (
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
)

// Refusals of ParseMinor.
var (
	ErrCurrency = fault.Bad("currency", "money.unknown_currency", "the currency is not an active code of ISO 4217, such as EUR")
	ErrAmount   = fault.Bad("amount", "money.bad_amount", "the amount is not a decimal number, such as 39.98")
	ErrTooFine  = fault.Bad("amount", "money.too_fine", "the amount has more decimals than the currency")
	ErrTooLarge = fault.Bad("amount", "money.too_large", "the amount is too large")
)

// maxLength is the most bytes of a decimal that is looked at.
const maxLength = 100

// Exponent returns how many decimals the minor unit of a currency has: 2 for
// EUR, 0 for JPY. It reports false for what is not an active code.
func Exponent(currency string) (int, bool) {
	n, ok := exponents[currency]
	return n, ok
}

// ParseMinor returns decimal, an amount in major units such as "39.98", in
// minor units: 3998 in EUR. It takes the numbers of JSON, so that whoever reads
// one can pass it on as it came, and also leading zeros. Decimals that the
// currency does not have must be zeros.
func ParseMinor(decimal, currency string) (int64, error) {
	exponent, ok := exponents[currency]
	if !ok {
		return 0, ErrCurrency
	}
	digits, scale, negative, ok := split(decimal)
	if !ok {
		return 0, ErrAmount
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return 0, nil
	}
	for ; scale > exponent; scale-- {
		short, zero := strings.CutSuffix(digits, "0")
		if !zero {
			return 0, ErrTooFine
		}
		digits = short
	}
	const most = 19 // digits of the largest int64
	if len(digits)+exponent-scale > most {
		return 0, ErrTooLarge
	}
	digits += strings.Repeat("0", exponent-scale)
	if negative {
		digits = "-" + digits
	}
	minor, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, ErrTooLarge
	}
	return minor, nil
}

// Format returns an amount in major units with all decimals of the currency,
// such as "62.48", without the currency. Of an unknown currency, it returns the
// minor units.
func Format(minor int64, currency string) string {
	exponent := exponents[currency]
	s := strconv.FormatInt(minor, 10)
	if exponent == 0 {
		return s
	}
	digits, negative := strings.CutPrefix(s, "-")
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - exponent
	s = digits[:point] + "." + digits[point:]
	if negative {
		s = "-" + s
	}
	return s
}

// split takes a number of the form -12.34e5 apart: its value is digits times
// ten to the power of -scale.
func split(s string) (digits string, scale int, negative, ok bool) {
	if len(s) > maxLength {
		return "", 0, false, false
	}
	s, negative = strings.CutPrefix(s, "-")
	power := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		p, err := strconv.Atoi(s[i+1:]) // takes a sign, as JSON does
		if err != nil || p < -maxLength || p > maxLength {
			return "", 0, false, false
		}
		s, power = s[:i], p
	}
	whole, fraction, point := strings.Cut(s, ".")
	if !number(whole) || point && !number(fraction) {
		return "", 0, false, false
	}
	return whole + fraction, len(fraction) - power, negative, true
}

func number(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
