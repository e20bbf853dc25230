package providers

import (
	"fmt"
	"strings"
)

// Status codes reach from 100 to 699 (RFC 3261 section 21).
const (
	lowestCode  = 100
	highestCode = 699
)

// CodeSet is a set of SIP status codes. The zero value is empty.
type CodeSet struct {
	bits [(highestCode - lowestCode + 64) / 64]uint64
}

// ParseCodeSet reads codes ("404") and classes ("5xx"). The error names the first element that is neither.
func ParseCodeSet(elements []string) (CodeSet, error) {
	var s CodeSet
	for _, e := range elements {
		low, high, ok := parseCodes(e)
		if !ok {
			return CodeSet{}, fmt.Errorf("%q is neither a status code from 100 to 699 nor a class from 1xx to 6xx", Clip(e))
		}
		for code := low; code <= high; code++ {
			s.add(code)
		}
	}
	return s, nil
}

func (s *CodeSet) add(code int) { s.bits[(code-lowestCode)/64] |= 1 << ((code - lowestCode) % 64) }

// Has says whether code is in the set. A code outside of 100 to 699 never is.
func (s CodeSet) Has(code int) bool {
	if code < lowestCode || code > highestCode {
		return false
	}
	return s.bits[(code-lowestCode)/64]&(1<<((code-lowestCode)%64)) != 0
}

// parseCodes returns the codes that one element stands for.
func parseCodes(e string) (low, high int, ok bool) {
	if len(e) != 3 || e[0] < '1' || e[0] > '6' {
		return 0, 0, false
	}
	class := int(e[0]-'0') * 100
	if strings.EqualFold(e[1:], "xx") {
		return class, class + 99, true
	}
	for _, c := range []byte(e[1:]) {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
	}
	code := class + int(e[1]-'0')*10 + int(e[2]-'0')
	return code, code, true
}
