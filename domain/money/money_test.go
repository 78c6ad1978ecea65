package money_test

import (
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/currency"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/money"
)

func TestParseMinor(t *testing.T) {
	tests := []struct {
		decimal, currency string
		want              int64
		err               error
	}{
		{"39.98", "EUR", 3998, nil},
		{"22.5", "EUR", 2250, nil},
		{"22", "EUR", 2200, nil},
		{"0", "EUR", 0, nil},
		{"0.00", "EUR", 0, nil},
		{"0.0000", "JPY", 0, nil},
		{"-0", "EUR", 0, nil},
		{"0.01", "EUR", 1, nil},
		{"-0.01", "EUR", -1, nil},
		{"007.10", "EUR", 710, nil},
		{"39.9800", "EUR", 3998, nil},
		{"1200", "JPY", 1200, nil},
		{"1200.00", "JPY", 1200, nil},
		{"1.234", "KWD", 1234, nil},
		{"1.2345", "CLF", 12345, nil},
		{"1.2e3", "EUR", 120000, nil},
		{"3998E-2", "EUR", 3998, nil},
		{"1e+2", "JPY", 100, nil},
		{"100e-2", "JPY", 1, nil},
		{"0e99", "EUR", 0, nil},
		{"92233720368547758.07", "EUR", math.MaxInt64, nil},
		{"-92233720368547758.08", "EUR", math.MinInt64, nil},
		{"9223372036854775807", "JPY", math.MaxInt64, nil},

		{"92233720368547758.08", "EUR", 0, money.ErrTooLarge},
		{"99999999999999999999999", "EUR", 0, money.ErrTooLarge},
		{"1e99", "JPY", 0, money.ErrTooLarge},
		{"1.005", "EUR", 0, money.ErrTooFine},
		{"1200.5", "JPY", 0, money.ErrTooFine},
		{"1e-3", "EUR", 0, money.ErrTooFine},
		{"1e-99", "EUR", 0, money.ErrTooFine},
		{"", "EUR", 0, money.ErrAmount},
		{"-", "EUR", 0, money.ErrAmount},
		{".", "EUR", 0, money.ErrAmount},
		{".5", "EUR", 0, money.ErrAmount},
		{"5.", "EUR", 0, money.ErrAmount},
		{"+5", "EUR", 0, money.ErrAmount},
		{"--5", "EUR", 0, money.ErrAmount},
		{" 5", "EUR", 0, money.ErrAmount},
		{"5 EUR", "EUR", 0, money.ErrAmount},
		{"1,50", "EUR", 0, money.ErrAmount},
		{"1_000", "EUR", 0, money.ErrAmount},
		{"1.2.3", "EUR", 0, money.ErrAmount},
		{"0x10", "EUR", 0, money.ErrAmount},
		{"1e", "EUR", 0, money.ErrAmount},
		{"1e1000", "EUR", 0, money.ErrAmount},
		{"1e1_0", "EUR", 0, money.ErrAmount},
		{"NaN", "EUR", 0, money.ErrAmount},
		{"Inf", "EUR", 0, money.ErrAmount},
		{"٣", "EUR", 0, money.ErrAmount},
		{"5", "", 0, money.ErrCurrency},
		{"5", "eur", 0, money.ErrCurrency},
		{"5", "XAU", 0, money.ErrCurrency},
		{"5", "EURO", 0, money.ErrCurrency},
	}
	for _, tt := range tests {
		got, err := money.ParseMinor(tt.decimal, tt.currency)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ParseMinor(%q, %q) = %d, %v; want %d, %v", tt.decimal, tt.currency, got, err, tt.want, tt.err)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		minor    int64
		currency string
		want     string
	}{
		{6248, "EUR", "62.48"},
		{5, "EUR", "0.05"},
		{0, "EUR", "0.00"},
		{-5, "EUR", "-0.05"},
		{1200, "JPY", "1200"},
		{1, "KWD", "0.001"},
		{12345, "CLF", "1.2345"},
		{math.MinInt64, "EUR", "-92233720368547758.08"},
		{7, "???", "7"},
	}
	for _, tt := range tests {
		if got := money.Format(tt.minor, tt.currency); got != tt.want {
			t.Errorf("Format(%d, %q) = %q, want %q", tt.minor, tt.currency, got, tt.want)
		}
	}
}

func TestFormatIsParsedBack(t *testing.T) {
	codes := rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "CLF"})
	rapid.Check(t, func(t *rapid.T) {
		minor, code := rapid.Int64().Draw(t, "minor"), codes.Draw(t, "currency")
		got, err := money.ParseMinor(money.Format(minor, code), code)
		if err != nil || got != minor {
			t.Fatalf("%d %s came back as %d, %v", minor, code, got, err)
		}
	})
}

func FuzzParseMinor(f *testing.F) {
	for _, s := range []string{"39.98", "-1e2", "0.0", "1e-2", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		minor, err := money.ParseMinor(s, "EUR")
		if err != nil {
			return
		}
		if again, err := money.ParseMinor(money.Format(minor, "EUR"), "EUR"); err != nil || again != minor {
			t.Errorf("%q = %d, formatted and parsed %d, %v", s, minor, again, err)
		}
	})
}

// The exponents agree with those that golang.org/x/text has from CLDR. CLDR
// leaves out the decimals that nobody pays with, which ISO 4217 lists; and it is
// older than some codes.
func TestExponentsAgreeWithCLDR(t *testing.T) {
	unpaid := strings.Fields("AFN ALL AMD COP GYD IDR IQD IRR KPW LAK LBP MGA MMK MNT MUR PKR RSD SOS SYP TZS UZS YER")
	young := strings.Fields("MRU SLE UYW VED VES XCG ZWG")
	for code := range codes() {
		exponent, ok := money.Exponent(code)
		if !ok {
			continue
		}
		unit, err := currency.ParseISO(code)
		if err != nil {
			if !slices.Contains(young, code) {
				t.Errorf("%s is a currency of ours alone", code)
			}
			continue
		}
		scale, _ := currency.Standard.Rounding(unit)
		if scale != exponent && !slices.Contains(unpaid, code) {
			t.Errorf("%s has %d decimals, CLDR says %d", code, exponent, scale)
		}
	}
}

// Every currency that is legal tender somewhere, as far as that data knows, is
// one of ours, unless it was replaced since.
func TestEveryTenderIsKnown(t *testing.T) {
	replaced := strings.Fields("CUC HRK MRO SLL STD VEF ZWL BYR")
	for it := currency.Query(); it.Next(); {
		code := it.Unit().String()
		if _, ok := money.Exponent(code); !ok && !slices.Contains(replaced, code) {
			t.Errorf("%s, of %v, is unknown", code, it.Region())
		}
	}
}

// codes yields every word of three letters.
func codes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range 26 * 26 * 26 {
			if !yield(string([]byte{byte('A' + i/26/26), byte('A' + i/26%26), byte('A' + i%26)})) {
				return
			}
		}
	}
}

func TestExponent(t *testing.T) {
	tests := []struct {
		currency string
		want     int
		known    bool
	}{
		{"JPY", 0, true}, {"EUR", 2, true}, {"TND", 3, true}, {"UYW", 4, true}, {"DEM", 0, false}, {"XAU", 0, false}, {"", 0, false},
	}
	for _, tt := range tests {
		if got, known := money.Exponent(tt.currency); got != tt.want || known != tt.known {
			t.Errorf("Exponent(%q) = %d, %v; want %d, %v", tt.currency, got, known, tt.want, tt.known)
		}
	}
}
