package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestV01_UnknownMethod(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	for _, method := range []string{"FOO", "!interesting-Method0123456789_*+`.%indeed'~"} {
		a := n.caller(t)
		a.send(t, a.request(method, "+15551234567"))
		got := b.expect(t, request(method))
		b.answer(t, got, 200)
		a.expect(t, status(200))
		a.expectNone(t, status(100), quiet)
	}
}

func TestV02_UnknownAndMalformedHeadersPass(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add(
		"UnknownHeaderWithUnusualValue: ;;,,;;,;",
		"Date: Fri, 01 Jan 2010 16:00:00 EST",
		"X-Same: 1", "X-Other: 2", "X-Same: 3", "x-same: 4",
		"Expires: 99999999999999999999",
	)
	inv.set("To", "\"unclosed is quoted\\\"\" <isbn:2983792873>")
	a.send(t, inv)
	checkUntouched(t, inv, b.expect(t, request("INVITE")))
}

func TestV03_UnknownScheme(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, uri := range []string{"nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002", "http://example.com/", "sips:+15551234567@carrier.example"} {
		req := a.requestTo("OPTIONS", uri)
		a.send(t, req)
		if rep := a.expect(t, final().of(req.get("Call-ID"))); rep.code() != 416 {
			t.Errorf("%s: got %s, want 416", uri, rep.start)
		}
	}
	b.expectNone(t, anything(), quiet)
}

func TestV04_MaxForwardsZero(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, method := range []string{"INVITE", "MESSAGE", "OPTIONS"} {
		req := a.request(method, "+15551234567").set("Max-Forwards", "0")
		a.send(t, req)
		rep := a.expect(t, final().of(req.get("Call-ID")))
		if rep.code() != 483 && (method != "OPTIONS" || rep.code() != 200) {
			t.Errorf("%s: got %s, want 483", method, rep.start)
		}
	}
	b.expectNone(t, anything(), quiet)
}

func TestV05_MaxForwards(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for was, want := range map[string]string{"70": "69", "1": "0", "0068": "67", "255": "254", "": "70"} {
		inv := a.invite("+15551234567").del("Max-Forwards")
		if was != "" {
			inv.add("Max-Forwards: " + was)
		}
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID"))).all("Max-Forwards")
		if len(got) != 1 || got[0] != want {
			t.Errorf("Max-Forwards %q became %q, want %q", was, got, want)
		}
	}
}

func TestV06_ProxyRequire(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, method := range []string{"INVITE", "OPTIONS", "FOO"} {
		req := a.request(method, "+15551234567").add("Require: nothingSupportsThis, nothingSupportsThisEither", "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis")
		a.send(t, req)
		rep := a.expect(t, final().of(req.get("Call-ID")))
		if rep.code() != 420 {
			t.Errorf("%s: got %s, want 420", method, rep.start)
		}
		if got, want := rep.list("Unsupported"), []string{"noProxiesSupportThis", "norDoAnyProxiesSupportThis"}; !slices.Equal(got, want) {
			t.Errorf("%s: Unsupported is %q, want %q", method, got, want)
		}
	}
	b.expectNone(t, anything(), quiet)

	inv := a.invite("+15551234567").add("Require: nothingSupportsThis")
	ringing(t, a, b, inv)
	a.send(t, cancelFor(inv).add("Proxy-Require: noProxiesSupportThis"))
	a.expect(t, status(200).to("CANCEL"))
	b.expect(t, request("CANCEL"))

	call := establish(t, a, b, a.invite("+15551234567"))
	call.a.send(t, call.a.ack(call.answeredAt).add("Proxy-Require: noProxiesSupportThis"))
	b.expect(t, request("ACK").of(call.a.callID))
}

func TestV07_MergedRequestsPass(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	twin := inv.again().set("Call-ID", inv.get("Call-ID"))
	a.send(t, twin)
	b.expectCount(t, request("INVITE").and("with a new branch of ours", newBranches()), 2)
	a.expectNone(t, final(), quiet)
}

// TestV08_NextRouteDecides checks loose routing: in a dialog after our own Route is taken away, the next one says
// where the request goes.
func TestV08_NextRouteDecides(t *testing.T) {
	t.Parallel()
	b, b2 := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	second := "<sip:" + b2.addr.String() + ";lr>"
	call.a.routes = append(call.a.routes, second)
	call.a.send(t, call.a.request("BYE"))
	got := b2.expect(t, request("BYE"))
	if got.uri() != call.a.target {
		t.Errorf("Request-URI %q, want %q", got.uri(), call.a.target)
	}
	if routes := got.list("Route"); !slices.Equal(routes, []string{second}) {
		t.Errorf("Route is %q, want %q", routes, second)
	}
	b.expectNone(t, request("BYE"), quiet)
}

// TestV08_PreloadedRoutes checks a Route beyond us outside a dialog: refused, unless it is allowed.
func TestV08_PreloadedRoutes(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			t.Parallel()
			b, b2 := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: trunks(b), sip: []string{fmt.Sprintf("preloaded_routes: %v", allowed)}})
			a := n.caller(t)
			for _, routes := range [][]string{
				{"<sip:" + n.udp.String() + ";lr>", "<sip:" + b2.addr.String() + ";lr>"},
				{"<sip:" + b2.addr.String() + ";lr>"},
			} {
				inv := a.requestTo("INVITE", "sip:+15551234567@"+b.addr.String()).top("Route: " + strings.Join(routes, ", "))
				a.send(t, inv)
				if !allowed {
					if rep := a.expect(t, final().of(inv.get("Call-ID"))); rep.code() != 403 {
						t.Errorf("%q: got %s, want 403", routes, rep.start)
					}
					continue
				}
				got := b2.expect(t, request("INVITE").of(inv.get("Call-ID")))
				if want := routes[len(routes)-1:]; !slices.Equal(got.list("Route"), want) {
					t.Errorf("%q: Route is %q, want %q", routes, got.list("Route"), want)
				}
			}
			b.expectNone(t, anything(), quiet)
			if !allowed {
				b2.expectNone(t, anything(), 0)
			}
		})
	}
}

// TestV09_StrictRouterUpstream checks that our own Record-Route value as Request-URI is replaced by the last Route.
func TestV09_StrictRouterUpstream(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	if len(call.a.routes) != 1 {
		t.Fatalf("the route set is %q, want one", call.a.routes)
	}
	target := call.a.target
	bye := call.a.request("BYE").to(inBrackets(call.a.routes[0])).del("Route").add("Route: <" + target + ">")
	call.a.send(t, bye)
	got := b.expect(t, request("BYE"))
	if got.uri() != target {
		t.Errorf("Request-URI %q, want %q", got.uri(), target)
	}
	if got.has("Route") {
		t.Errorf("Route is left: %q", got.list("Route"))
	}
}

// TestV10_StrictRouterDownstream checks that a next Route without lr becomes the Request-URI, which goes to the end of
// the Routes.
func TestV10_StrictRouterDownstream(t *testing.T) {
	t.Parallel()
	b, b2 := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	strict := "sip:" + b2.addr.String()
	third := "<sip:192.0.2.77;lr>"
	call.a.routes = append(call.a.routes, "<"+strict+">", third)
	call.a.send(t, call.a.request("BYE"))
	got := b2.expect(t, request("BYE"))
	if got.uri() != strict {
		t.Errorf("Request-URI %q, want %q", got.uri(), strict)
	}
	if want := []string{third, "<" + call.a.target + ">"}; !slices.Equal(got.list("Route"), want) {
		t.Errorf("Route is %q, want %q", got.list("Route"), want)
	}
}

// TestV11_Maddr checks that a maddr which names us goes away, and that another one is where the request goes.
func TestV11_Maddr(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.requestTo("INVITE", "sip:+15551234567@carrier.example;maddr="+n.udp.Addr().String())
	a.send(t, inv)
	if got := b.expect(t, request("INVITE")); strings.Contains(got.uri(), "maddr") {
		t.Errorf("Request-URI %q still has the maddr", got.uri())
	}

	call := establish(t, a, b, a.invite("+15551234567"))
	call.a.target = fmt.Sprintf("sip:peer@192.0.2.99:%d;maddr=%s", b.addr.Port(), b.addr.Addr())
	call.a.send(t, call.a.request("BYE"))
	if got := b.expect(t, request("BYE")); got.uri() != call.a.target {
		t.Errorf("Request-URI %q, want %q", got.uri(), call.a.target)
	}
}

// TestV12_NoRouteNoTarget checks 404 for a number without a route and 480 for one whose providers are all off.
func TestV12_NoRouteNoTarget(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, `targets: ["+1"]`, "enabled: false"),
		trunk("c", c, `targets: ["+1", "+44"]`, "enabled: false"),
	)})
	a := n.caller(t)
	for number, want := range map[string]int{"+15551234567": 480, "+441234567": 480, "+4930123456": 404, "alice": 404} {
		inv := a.invite(number)
		a.send(t, inv)
		rep := a.expect(t, final().of(inv.get("Call-ID")))
		a.send(t, ackFor(inv, rep))
		if rep.code() != want {
			t.Errorf("%s: got %s, want %d", number, rep.start, want)
		}
	}
	b.expectNone(t, anything(), 0)
	c.expectNone(t, anything(), 0)
}

func TestV13_HeadersInRequestURI(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, uri := range []string{
		"sip:+15551234567@carrier.example?Route=%3Csip:sip.example.com%3E",
		"sip:+15551234567@carrier.example;method=BYE?X-A=1",
	} {
		inv := a.requestTo("INVITE", uri).set("To", "<sip:x@y.example>")
		a.send(t, inv)
		rep := a.expect(t, status(100).or(final()).of(inv.get("Call-ID")))
		if rep.code() == 400 {
			continue
		}
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if got.uri() != "sip:+15551234567@"+b.addr.String() || got.has("Route") || got.has("X-A") {
			t.Errorf("%s became\n%s", uri, got.raw)
		}
	}
}

func TestV14_OneTryPerTarget(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalogOf([]string{trunk("b", b, "priority: 1", `targets: ["+1", "+1555", "all"]`)}, route("b", "+155"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 503)
	a.expect(t, status(500))
	b.expectNone(t, request("INVITE"), quiet)
}
