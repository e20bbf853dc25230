package providers

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of tech headers: they go out with every INVITE, which must stay small enough for one datagram.
const (
	maxTechHeaders     = 64
	maxTechHeaderName  = 64   // Bytes.
	maxTechHeaderValue = 1024 // Bytes.
)

var (
	errHeaderToken = errors.New("is not a header name: 1 to 64 letters, digits or -.!%*_+`'~")
	errHeaderOurs  = errors.New("begins with VB- or VBOUT-, which are for talking to dialrouter and never go out")
	errHeaderBreak = errors.New("holds a line break or another control character")
	errHeaderLong  = errors.New("is longer than 1024 bytes")
)

// refusedHeader says why a tech header may not have the name, given in lower case, or "". Compact forms (RFC 3261
// section 7.3.3) are the same headers.
func refusedHeader(name string) string {
	switch name {
	case "via", "v", "route", "record-route", "max-forwards":
		return "leads the request through proxies, so it is dialrouter's to write"
	case "contact", "m", "from", "f", "to", "t", "call-id", "i", "cseq":
		return "belongs to the call, which the caller owns"
	case "content-length", "l", "content-type", "c":
		return "describes the body, which the caller owns"
	case "authorization", "proxy-authorization":
		return "answers a challenge; use credentials"
	case "p-asserted-identity", "privacy":
		return "says who calls; it is kept or removed by trust, not set for a carrier"
	}
	return ""
}

// ValidateHeaderName says whether a tech header may be called name. The error is the rule that the name breaks.
func ValidateHeaderName(name string) error {
	if name == "" || len(name) > maxTechHeaderName {
		return errHeaderToken
	}
	for _, c := range []byte(name) {
		if !isTokenByte(c) {
			return errHeaderToken
		}
	}
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "vb-") || strings.HasPrefix(lower, "vbout-") {
		return errHeaderOurs
	}
	if why := refusedHeader(lower); why != "" {
		return errors.New(why)
	}
	return nil
}

// isTokenByte says whether c may stand in a token (RFC 3261 section 25.1).
func isTokenByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0
}

// ValidateHeaderValue says whether a tech header may hold value. The error is the rule that the value breaks.
func ValidateHeaderValue(value string) error {
	if len(value) > maxTechHeaderValue {
		return errHeaderLong
	}
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
		return errHeaderBreak
	}
	return nil
}

func (v *validator) techHeaders(headers []Header) {
	if len(headers) > maxTechHeaders {
		v.addf("tech_headers", "", "holds %d headers, more than %d", len(headers), maxTechHeaders)
		return
	}
	for i, h := range headers {
		field := fmt.Sprintf("tech_headers[%s]", Clip(h.Name))
		if err := ValidateHeaderName(h.Name); err != nil {
			v.add(field, h.Name, err)
		}
		if err := ValidateHeaderValue(h.Value); err != nil {
			v.addf(field, "", "the value (kept out of this message) %s", err)
		}
		for _, earlier := range headers[:i] {
			if strings.EqualFold(earlier.Name, h.Name) {
				v.addf(field, h.Name, "is given twice; names compare without case")
				break
			}
		}
	}
}
