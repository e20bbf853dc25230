package e2e

import (
	"fmt"
	"strings"
	"testing"
)

const (
	customerOne = "11111111-1111-4111-8111-111111111111"
	customerTwo = "22222222-2222-4222-8222-222222222222"
)

// route is an entry below routes in providers.yaml.
func route(provider, target string, more ...string) string {
	keys := append([]string{"provider: " + provider, fmt.Sprintf("target: %q", target)}, more...)
	return "  - {" + strings.Join(keys, ", ") + "}\n"
}

// catalogOf is a providers.yaml with providers and routes.
func catalogOf(providers []string, routes ...string) string {
	return catalog(providers...) + "routes:\n" + strings.Join(routes, "")
}

// tried refuses a call at each provider in turn and returns their names in the order they were asked.
func tried(t *testing.T, a *peer, inv *draft, named map[string]*peer) []string {
	t.Helper()
	of := inv.get("Call-ID")
	var order []string
	answered := make(map[string]bool) // By our branch: a copy of an INVITE is no second try.
	a.send(t, inv)
	var done *msg
	eventually(t, "a final reply to "+of, func() bool {
		for name, p := range named {
			for _, got := range p.received(request("INVITE").of(of)) {
				if branch := param(got.list("Via")[0], "branch"); !answered[branch] {
					answered[branch] = true
					order = append(order, name)
					p.answer(t, got, 404)
				}
			}
		}
		done = a.next(t, final().to("INVITE").of(of), 0)
		return done != nil
	})
	a.send(t, ackFor(inv, done))
	return order
}

// TestSelection checks the order in which a call's providers are tried.
func TestSelection(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		routes []string
		number string
		header string // For us, in the INVITE.
		want   string // The providers' names in order.
	}{
		"longest target first": {
			routes: []string{route("b", "+1"), route("c", "+1555"), route("d", "+155")},
			number: "+15551234567", want: "c d b",
		},
		"all comes last": {
			routes: []string{route("b", "all"), route("c", "+1")},
			number: "+15551234567", want: "c b",
		},
		"longer beats priority": {
			routes: []string{route("b", "+1", "priority: 1"), route("c", "+15", "priority: 9")},
			number: "+15551234567", want: "c b",
		},
		"priority within a target": {
			routes: []string{route("b", "+1", "priority: 3"), route("c", "+1", "priority: 1"), route("d", "+1", "priority: 2")},
			number: "+15551234567", want: "c d b",
		},
		"a bare target is read with plus": {
			routes: []string{route("b", "1")},
			number: "+15551234567", want: "b",
		},
		"other prefixes do not match": {
			routes: []string{route("b", "+44"), route("c", "+1555"), route("d", "+15559")},
			number: "+15551234567", want: "c",
		},
		"the customer's own routes come first": {
			routes: []string{
				route("b", "+1555", "priority: 1"),
				route("c", "+1", "priority: 9", "customer_id: "+customerOne),
				route("d", "+1", "priority: 1", "customer_id: "+customerTwo),
			},
			number: "+15551234567", header: "VB-CUSTOMER-ID: " + customerOne, want: "c b",
		},
		"without a customer only everyone's": {
			routes: []string{
				route("b", "+1", "priority: 2"),
				route("c", "+1", "priority: 1", "customer_id: "+customerOne),
			},
			number: "+15551234567", want: "b",
		},
		"an unknown customer has everyone's": {
			routes: []string{route("b", "+1"), route("c", "+1", "customer_id: "+customerOne)},
			number: "+15551234567", header: "VB-CUSTOMER-ID: " + customerTwo, want: "b",
		},
		"a provider appears once": {
			routes: []string{
				route("b", "+1", "priority: 1"), route("b", "all", "priority: 1"), route("c", "all", "priority: 2"),
				route("b", "+1", "priority: 7", "customer_id: "+customerOne),
			},
			number: "+15551234567", header: "VB-CUSTOMER-ID: " + customerOne, want: "b c",
		},
		"exactly the named providers in their order": {
			routes: []string{route("b", "+1"), route("c", "+1")},
			number: "+15551234567", header: "VB-PROVIDER-IDS: " + idOf("d") + ", " + idOf("b"), want: "d b",
		},
		"a provider that is named twice is tried once": {
			routes: []string{route("b", "+1")},
			number: "+15551234567", header: "VB-PROVIDER-IDS: " + idOf("c") + "," + idOf("b") + "," + idOf("c"), want: "c b",
		},
		"an unknown named provider is left out": {
			routes: []string{route("b", "+1")},
			number: "+15551234567", header: "VB-PROVIDER-IDS: " + customerTwo + "," + idOf("c"), want: "c",
		},
		"names that are no number go to all": {
			routes: []string{route("b", "+1"), route("c", "all")},
			number: "alice", want: "c",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named := map[string]*peer{"b": newPeer(t), "c": newPeer(t), "d": newPeer(t)}
			entries := make([]string, 0, len(named))
			for _, name := range []string{"b", "c", "d"} {
				entries = append(entries, trunk(name, named[name], "id: "+idOf(name)))
			}
			n := startRouter(t, setup{providers: catalogOf(entries, test.routes...)})
			a := n.caller(t)
			inv := a.invite(test.number)
			if test.header != "" {
				inv.add(test.header)
			}
			if got := strings.Join(tried(t, a, inv, named), " "); got != test.want {
				t.Errorf("tried %q, want %q", got, test.want)
			}
		})
	}
}

// idOf is the id of a provider with a name of one letter.
func idOf(name string) string {
	return "4dbeabd6-f397-4375-95d2-a38411e07e" + fmt.Sprintf("%02x", name[0])
}

// TestWeight checks that routes of equal rank share the calls by weight, and that the other one is tried second.
func TestWeight(t *testing.T) {
	t.Parallel()
	named := map[string]*peer{"b": newPeer(t), "c": newPeer(t)}
	n := startRouter(t, setup{providers: catalogOf(
		[]string{trunk("b", named["b"]), trunk("c", named["c"])},
		route("b", "+1", "weight: 75"), route("c", "+1", "weight: 25"),
	)})
	a := n.caller(t)
	const calls = 200
	first := map[string]int{}
	for range calls {
		order := tried(t, a, a.invite("+15551234567"), named)
		if len(order) != 2 || order[0] == order[1] {
			t.Fatalf("tried %q, want both once", order)
		}
		first[order[0]]++
	}
	// 150 expected; the bounds are more than five standard deviations away.
	if first["b"] < 118 || first["b"] > 182 {
		t.Errorf("b was first in %d of %d calls, want about 150", first["b"], calls)
	}
}

// TestDisabledProviders checks that a provider that is switched off is not tried.
func TestDisabledProviders(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "enabled: false"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	c.expect(t, request("INVITE"))
	b.expectNone(t, anything(), quiet)
}
