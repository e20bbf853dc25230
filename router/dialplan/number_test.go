package dialplan

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseUser(t *testing.T) {
	tests := []struct {
		user, dial, digits string // Dial "=": the user part as it is.
		international      string // Comma-separated.
	}{
		{user: "+15551234567", dial: "=", digits: "15551234567"},
		{user: "15551234567", dial: "=", digits: "15551234567"},
		{user: "0", dial: "=", digits: "0"},
		{user: "+1(555)123-45.67", dial: "+15551234567", digits: "15551234567"},
		{user: "(+49)30-123", dial: "+4930123", digits: "4930123"},
		{user: "555-1234", dial: "5551234", digits: "5551234"},
		{user: "%2B15551234567", dial: "+15551234567", digits: "15551234567"},
		{user: "%2b1%28555%29%2d%2e1", dial: "+15551", digits: "15551"},
		{user: "%31%35", dial: "15", digits: "15"},

		{user: "+15551234567;npdi;rn=+1-555", dial: "=", digits: "15551234567"},
		{user: "+1-555;npdi;rn=+1-555;x=%23", dial: "+1555;npdi;rn=+1-555;x=%23", digits: "1555"},
		{user: "7042;phone-context=example.com", dial: "=", digits: "7042"},
		{user: "7042;", dial: "=", digits: "7042"},

		{user: "", dial: "="},
		{user: "alice", dial: "="},
		{user: "*69", dial: "="},
		{user: "#31#5551234", dial: "="},
		{user: "%23311234", dial: "="},
		{user: "+", dial: "="},
		{user: "-.()", dial: "="},
		{user: "(+)", dial: "="},
		{user: "++1555", dial: "="},
		{user: "1+15551234567", dial: "="},
		{user: "1 555", dial: "="},
		{user: "1555x22", dial: "="},
		{user: ";phone-context=+1", dial: "="},
		{user: "+;phone-context=+1", dial: "="},
		{user: "1555%", dial: "="},
		{user: "1555%3", dial: "="},
		{user: "1555%3;npdi", dial: "="},
		{user: "1555%zz", dial: "="},
		{user: "1555%3Bnpdi", dial: "="},
		{user: "1555:secret", dial: "="},
		{user: "1555\x00", dial: "="},
		{user: "١٢٣", dial: "="}, // Digits, but not ours.

		{user: "0015551234567", dial: "=", digits: "15551234567", international: "00"},
		{user: "01144201", dial: "=", digits: "44201", international: "00,011"},
		{user: "00-44.20", dial: "004420", digits: "4420", international: "00,011"},
		{user: "004420;a=b", dial: "=", digits: "4420", international: "00"},
		{user: "0001", dial: "=", digits: "1", international: "0,000,00"},
		{user: "+0044", dial: "=", digits: "0044", international: "00"},
		{user: "00", dial: "=", digits: "00", international: "00"},
		{user: "0", dial: "=", digits: "0", international: "00"},
		{user: "1555", dial: "=", digits: "1555", international: "00,011"},
	}
	for _, tt := range tests {
		t.Run(tt.user, func(t *testing.T) {
			if tt.dial == "=" {
				tt.dial = tt.user
			}
			n, dst := ParseUser([]byte("before"), []byte(tt.user), prefixes(tt.international))
			if string(n.Dial) != tt.dial || string(n.Digits) != tt.digits {
				t.Errorf("ParseUser(%q) = %q, %q, want %q, %q", tt.user, n.Dial, n.Digits, tt.dial, tt.digits)
			}
			if !bytes.HasPrefix(dst, []byte("before")) {
				t.Errorf("dst became %q", dst)
			}
		})
	}
}

func prefixes(commaSeparated string) [][]byte {
	if commaSeparated == "" {
		return nil
	}
	return bytes.Split([]byte(commaSeparated), []byte(","))
}

func FuzzParseUser(f *testing.F) {
	for _, user := range []string{"+15551234567;npdi", "%2B1(555)-1", "alice", "*69", "00%", "+", ";", "0011-2"} {
		f.Add(user, "00,011")
	}
	f.Fuzz(func(t *testing.T, user, international string) {
		in := []byte(user)
		n, dst := ParseUser(nil, in, prefixes(international))
		if string(in) != user {
			t.Fatalf("the user part %q became %q", user, in)
		}
		dial, digits := string(n.Dial), string(n.Digits)
		again, _ := ParseUser(dst, n.Dial, prefixes(international))
		if string(again.Dial) != dial || string(again.Digits) != digits {
			t.Fatalf("%q became %q, %q and then %q, %q", user, dial, digits, again.Dial, again.Digits)
		}
		if digits == "" {
			if dial != user {
				t.Fatalf("%q is no number and became %q", user, dial)
			}
			return
		}
		subscriber, parameters, semicolon := strings.Cut(dial, ";")
		_, wantParameters, wantSemicolon := strings.Cut(user, ";")
		if parameters != wantParameters || semicolon != wantSemicolon {
			t.Fatalf("the parameters of %q became %q", user, parameters)
		}
		bare := strings.TrimPrefix(subscriber, "+")
		if bare == "" || !allDigits(bare) || !strings.HasSuffix(bare, digits) {
			t.Fatalf("%q became %q, matched as %q", user, dial, digits)
		}
	})
}
