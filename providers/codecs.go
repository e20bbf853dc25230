package providers

import (
	"errors"
	"strings"
)

// MaxCodecs bounds a codec list, in bytes.
const MaxCodecs = 255

// The ways in which a codec list can be wrong.
var (
	errCodecsLong    = errors.New("is longer than 255 bytes")
	errCodecsEmpty   = errors.New("has an empty element: a double, leading or trailing comma")
	errCodecsLetters = errors.New("holds a control character or a parenthesis")
	errCodecsName    = errors.New("has a name that is not made of visible ASCII characters")
)

// ValidateCodecs says whether s is a list of codec names, separated by commas, each trimmed. The empty list is one:
// it restricts nothing. The error is the rule that s breaks, to be read after the value.
func ValidateCodecs(s string) error {
	if len(s) > MaxCodecs {
		return errCodecsLong
	}
	if s == "" {
		return nil
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F || r == '(' || r == ')' }) {
		return errCodecsLetters
	}
	for name := range strings.SplitSeq(s, ",") {
		name = strings.Trim(name, " \t")
		if name == "" {
			return errCodecsEmpty
		}
		for _, c := range []byte(name) {
			if c <= ' ' || c > '~' {
				return errCodecsName
			}
		}
	}
	return nil
}
