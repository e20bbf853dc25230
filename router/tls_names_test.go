package router

import "testing"

func TestCoversDomain(t *testing.T) {
	for _, tt := range []struct {
		name, domain string
		want         bool
	}{
		{"*.carrier.example", "sip.carrier.example", true},
		{"*.Carrier.EXAMPLE", "SIP.carrier.example", true},
		{"*.carrier.example.", "sip.carrier.example", true},
		{"*.carrier.example", "sip.carrier.example.", true},
		{"*.carrier.example", "xn--bcher-kva.carrier.example", true},
		{"*.carrier.example", "carrier.example", false},
		{"*.carrier.example", ".carrier.example", false},
		{"*.carrier.example", "eu.sip.carrier.example", false},
		{"*.carrier.example", "sip.carrier.example.net", false},
		{"*.carrier.example", "sipcarrier.example", false},
		{"*.example", "carrier.example", false},
		{"*.example.", "carrier.example", false},
		{"*", "example", false},
		{"*", "sip.carrier.example", false},
		{"*.", "example.", false},
		{"sip*.carrier.example", "sip1.carrier.example", false},
		{"*1.carrier.example", "sip1.carrier.example", false},
		{"sip.*.example", "sip.carrier.example", false},
		{"*.*.example", "sip.carrier.example", false},
		{"*.*.example", "sip.*.example", false},
		{"sip.carrier.example", "sip.carrier.example", false}, // No wildcard.
		{"", "", false},
	} {
		if got := coversDomain(tt.name, tt.domain); got != tt.want {
			t.Errorf("%q covers %q: %v", tt.name, tt.domain, got)
		}
	}
}
