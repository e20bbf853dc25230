package providers

import (
	"errors"
	"strings"
)

// maxTargetDigits leaves room beyond the 15 digits of E.164 for national numbers that are dialled with a prefix.
const maxTargetDigits = 32

var errTarget = errors.New(`is neither "all" nor a prefix of 1 to 32 digits such as "+1"`)

// ParseTarget reads a route's target and returns it in its one spelling: TargetAll, or "+" and digits ("1" is read
// as "+1"). The error is the rule that s breaks, to be read after the value.
func ParseTarget(s string) (string, error) {
	if s == TargetAll {
		return s, nil
	}
	digits := strings.TrimPrefix(s, "+")
	if digits == "" || len(digits) > maxTargetDigits || strings.Trim(digits, "0123456789") != "" {
		return "", errTarget
	}
	if len(digits) == len(s) {
		return "+" + s, nil
	}
	return s, nil
}
