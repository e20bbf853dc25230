package router

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// plannedCatalogs is how many catalogs TestPlanIsWhatCallsDo makes up.
const plannedCatalogs = 400

// wireTap is an outbox that keeps what leaves the router.
type wireTap struct{ sent []parcel }

func (o *wireTap) Send(to transport.Flow, data []byte) {
	o.sent = append(o.sent, parcel{to, bytes.Clone(data)})
}

func (o *wireTap) SendUnordered(to transport.Flow, data []byte) { o.Send(to, data) }

func (o *wireTap) Flush(int64) {}

// wish is a call that is planned and then placed.
type wish struct {
	number, codecs, sdp string
	customer            uuid.UUID
	listed              []uuid.UUID
}

// TestPlanIsWhatCallsDo makes up catalogs, limits in use, providers that rest or are down, and calls. Each call is
// planned first, and then placed; every provider answers 503, so that all attempts are seen. The plan must be what the
// providers then get, and the record must say the same once more.
func TestPlanIsWhatCallsDo(t *testing.T) {
	var seen struct{ attempts, skipped, edited, nobody int }
	reasons := make(map[string]int)
	for seed := range uint64(plannedCatalogs) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := madeUpRouter(t, rng)
		snap := b.current.Load()
		w := madeUpCall(rng, snap)
		c1, c2 := rng.Uint64(), rng.Uint64()
		b.w.rng = rand.NewPCG(c1, c2)
		plan, err := snap.plan(&providers.PlanRequest{
			Number: w.number, Customer: w.customer, Providers: w.listed, Codecs: w.codecs, SDP: []byte(w.sdp),
		}, b.now, rand.NewPCG(c1, c2).Uint64())
		if err != nil {
			t.Fatalf("catalog %d: %v", seed, err)
		}
		got, final := b.place(t, w)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("catalog %d, call %+v: %s\nplan %+v", seed, w, fmt.Sprintf(format, args...), plan)
		}
		if len(got) != len(plan.Attempts) {
			fail("%d attempts", len(got))
			continue
		}
		for i := range got {
			if s := differs(snap, &plan.Attempts[i], got[i], w.sdp); s != "" {
				fail("attempt %d: %s\n%s", i, s, got[i].data)
			}
			seen.attempts++
			if plan.Attempts[i].SDP != w.sdp {
				seen.edited++
			}
		}
		if want := plan.FinalStatus; want != 0 && final != want || want == 0 && final != 500 {
			fail("the caller got %d", final)
		}
		if plan.FinalStatus != 0 {
			seen.nobody++
		}
		record, ok := b.Call("planned")
		if !ok {
			fail("no record")
			continue
		}
		if s := recordDiffers(plan, &record, final); s != "" {
			fail("the record says %s\n%+v", s, record)
		}
		for _, s := range record.Skipped {
			seen.skipped++
			reasons[strings.Trim(s.Reason, "0123456789.:")]++
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%+v, skipped for %v", seen, reasons)
	if len(reasons) < 7 || seen.attempts < plannedCatalogs || seen.edited < 50 || seen.nobody < 20 {
		t.Error("the catalogs that were made up leave too much out")
	}
}

// differs compares a planned attempt with a request that a provider got.
func differs(snap *snapshot, a *providers.PlanAttempt, got parcel, offer string) string {
	var m message.Message
	if err := m.Parse(got.data); err != nil {
		return err.Error()
	}
	if uri := string(m.Bytes(m.URI)); uri != a.RequestURI {
		return "the Request-URI is " + uri
	}
	if to := destination(got.to); to != a.Destination {
		return "it went to " + to
	}
	if body := string(m.Body()); body != a.SDP {
		return "the body differs"
	}
	if (a.SDP != offer) != (string(m.Body()) != offer) {
		return "one of them is edited"
	}
	// The tech headers are the last but what the body needs, and nothing else is like them.
	p := snap.providers[snap.byID[a.ProviderID]]
	var have, want []string
	for i := range m.Headers {
		if name := string(m.Bytes(m.Headers[i].Name)); strings.HasPrefix(name, "X-") || strings.HasPrefix(strings.ToLower(name), "vb") {
			have = append(have, name+": "+string(m.Bytes(m.Headers[i].Value)))
		}
	}
	for i, h := range a.Headers {
		if h.Secret != (h.Value == providers.Mask) {
			return "a secret is shown"
		}
		want = append(want, h.Name+": "+p.TechHeaders[i].Value)
	}
	if !slices.Equal(have, want) {
		return fmt.Sprintf("it has the headers %q, want %q", have, want)
	}
	return ""
}

// recordDiffers compares a plan with the record of the call that followed it.
func recordDiffers(plan *providers.Plan, r *providers.CallRecord, final int) string {
	if r.Number != plan.Number || r.FinalStatus != final || len(r.Attempts) != len(plan.Attempts) {
		return "something else"
	}
	for i, a := range r.Attempts {
		p := &plan.Attempts[i]
		if a.ProviderID != p.ProviderID || a.ProviderName != p.ProviderName || a.RequestURI != p.RequestURI || a.Destination != p.Destination {
			return fmt.Sprintf("of attempt %d something else", i)
		}
		switch last := i == len(r.Attempts)-1; {
		case !last && !strings.HasSuffix(a.Next, plan.Attempts[i+1].ProviderName+" next"):
			return a.Next
		case last && !strings.HasSuffix(a.Next, "nobody is left to try") && !strings.HasSuffix(a.Next, " reached"):
			return a.Next
		}
	}
	var skipped []providers.SkippedProvider
	for _, s := range plan.Skipped {
		if !strings.HasPrefix(s.Reason, "route ") { // Only the plan looks for routes that lead nowhere.
			skipped = append(skipped, s)
		}
	}
	if !slices.EqualFunc(skipped, r.Skipped, func(p providers.SkippedProvider, s providers.SkippedProvider) bool {
		return p.ProviderID == s.ProviderID && p.ProviderName == s.ProviderName && p.Reason == s.Reason
	}) {
		return "that others were skipped"
	}
	return ""
}

func one[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// madeUpRouter is a router on a catalog that nobody would write, in a state that nobody hopes for.
func madeUpRouter(t *testing.T, rng *rand.Rand) *bed {
	t.Helper()
	cfg, problems := config.Parse(t.TempDir()+"/dialrouter.yaml", fmt.Appendf(nil, `
sip: {listen: ['udp://127.0.0.1:0']}
catalog: {file: providers.yaml}
codecs: %q
numbers: {international_prefixes: %s}
budgets: {max_attempts: %d}
health: {interval: 0}
log: {level: error}
`, one(rng, "", "", "PCMU,PCMA", "G722"), one(rng, "[]", `["00"]`), 1+rng.IntN(9)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text := madeUpCatalog(rng)
	cat, bad := filestore.Parse("providers.yaml", []byte(text), time.Unix(0, 0))
	for _, p := range bad {
		if !p.Warning {
			t.Fatalf("%v\n%s", p, text)
		}
	}
	r, err := New(Options{Config: cfg, Store: still{cat}})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{
		Router: r, w: newWorker(r, &wireTap{}), now: r.clock() + int64(time.Minute),
		from: transport.Flow{Proto: transport.UDP, Remote: caller(0).Remote}, contact: "uas@127.0.0.1", target: "sip:uas@127.0.0.1",
	}
	for i := range r.current.Load().providers {
		p := &r.current.Load().providers[i]
		if rng.IntN(2) == 0 {
			room := health.Room
			for p.Limits.Calls+int(p.Limits.CPS) > 0 && room == health.Room {
				room = p.state.Enter(b.now, p.Limits.Calls, p.Limits.CPS)
			}
		}
		if rng.IntN(8) == 0 {
			p.state.Rest(b.now, time.Minute)
		}
		if rng.IntN(8) == 0 {
			for range 10 {
				p.state.Failed(b.now-int64(rng.IntN(60))*int64(time.Second), health.Silent, 3)
			}
		}
	}
	return b
}

func madeUpCatalog(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("providers:\n")
	n := 1 + rng.IntN(12)
	for i := range n {
		fmt.Fprintf(&b, "  - {name: p%d, hostname: '%s', id: %s, transport: %s, tech_prefix: '%s', tech_postfix: '%s', raw_user: %v, enabled: %v,\n",
			i, one(rng, fmt.Sprintf("127.0.1.%d", i), fmt.Sprintf("127.0.1.%d:5070", i)), madeUpID(i),
			one(rng, "udp", "udp", "udp", "udp", "udp", "tcp"), one(rng, "", "", "9#", "+1", "00"), one(rng, "", "", "*5", "@provider.example", "x@host.example:5080"),
			rng.IntN(4) == 0, rng.IntN(9) > 0)
		fmt.Fprintf(&b, "     tech_headers: %s, secret_headers: %s, codecs: '%s', limits: {calls: %d, cps: %v}}\n",
			one(rng, "{}", "{X-A: '1', X-Token: hush}", "{X-Token: 'a b'}"), "[]",
			one(rng, "", "", "", "PCMU", "PCMU,PCMA", "opus,PCMU", "AMR-WB", "G729"), one(rng, 0, 0, 0, 0, 0, 1, 7), one[any](rng, 0, 0, 0, 0, 0, 1, 2.5))
	}
	text := strings.ReplaceAll(b.String(), "hush}, secret_headers: []", "hush}, secret_headers: [X-Token]")
	b.Reset()
	b.WriteString(text + "routes:\n")
	for range 3 + rng.IntN(4*n) {
		to := fmt.Sprint("p", rng.IntN(n))
		if rng.IntN(12) == 0 {
			to = madeUpID(99).String() // Leads nowhere.
		}
		customer := one(rng, providers.Everyone, providers.Everyone, madeUpID(50))
		target := one(rng, "all", "all", "+1", "+1555", "+15551234567", "+44")
		// A route like another one is refused.
		if route := fmt.Sprintf("{target: %q, provider: %s, customer_id: %s,", target, to, customer); !strings.Contains(b.String(), route) {
			fmt.Fprintf(&b, "  - %s priority: %d, weight: %d}\n", route, rng.IntN(3), one(rng, 100, 100, 1, 300))
		}
	}
	return b.String()
}

func madeUpID(n int) uuid.UUID { return uuid.UUID{0: 9, 6: 0x40, 8: 0x80, 15: byte(n)} }

func madeUpCall(rng *rand.Rand, snap *snapshot) wish {
	w := wish{
		number:   one(rng, "+15551234567", "15551234567", "+1-555.123(4567)", "0015551234567", "+447700900123", "alice", "*69", "+49301234", "a%40b"),
		codecs:   one(rng, "", "", "PCMU", "opus,PCMU", "AMR"),
		sdp:      one(rng, "", offer, offer, strings.Replace(offer, "RTP/AVP 96 9 0 8 18 97 3 101", "RTP/AVP 0 101", 1)),
		customer: one(rng, uuid.Nil, providers.Everyone, madeUpID(50), madeUpID(51)),
	}
	for rng.IntN(4) == 0 || len(w.listed) > 0 && rng.IntN(4) > 0 {
		w.listed = append(w.listed, one(rng, madeUpID(rng.IntN(len(snap.providers))), madeUpID(rng.IntN(len(snap.providers))), madeUpID(77)))
	}
	return w
}

// place places a call, has every provider answer 503, and returns the requests that they got and the status that the
// caller got.
func (b *bed) place(t *testing.T, w wish) (got []parcel, final int) {
	t.Helper()
	head := "INVITE sip:" + w.number + "@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP " + b.from.Remote.String() + ";branch=z9hG4bKplanned\r\n" +
		"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: planned\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
	if w.codecs != "" {
		head += "VBOUT-CODECS: " + w.codecs + "\r\n"
	}
	if w.customer != uuid.Nil {
		head += "VB-CUSTOMER-ID: " + w.customer.String() + "\r\n"
	}
	if w.listed != nil {
		var ids []string
		for _, id := range w.listed {
			ids = append(ids, id.String())
		}
		head += "VB-PROVIDER-IDS: " + strings.Join(ids, ", ") + "\r\n"
	}
	if w.sdp != "" {
		head += "Content-Type: application/sdp\r\n"
	}
	b.receive(fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(w.sdp), w.sdp))
	tap := b.w.out.(*wireTap)
	for len(tap.sent) > 0 {
		p := tap.sent[0]
		tap.sent = tap.sent[1:]
		if err := b.msg.Parse(p.data); err != nil {
			t.Fatalf("the router sent %v:\n%s", err, p.data)
		}
		switch {
		case b.msg.Method == message.INVITE:
			got = append(got, p)
			b.in = b.answer(b.in[:0], &b.msg, p.data, "503 Service Unavailable")
			b.receive(b.in)
		case !b.msg.Request && b.msg.Status >= 200:
			final = b.msg.Status
		}
	}
	return got, final
}
