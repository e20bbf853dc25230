package sdp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The oracle knows a random offer by its parts, and says from them, in other words than the filter, what a policy
// leaves of it.

// offered is one payload type of a random section, with the lines that describe it.
type offered struct {
	number  int
	name    string // As rtpmap has it, without clock.
	clock   int
	carries int // The payload type that red or rtx is for, else -1.
	lines   []string
}

// randomSection is an audio section with its payload types.
type randomSection struct {
	port    int
	formats []offered
	others  []string // Lines that name no payload type.
}

// library are the codecs that random offers choose from, and random lists too.
var library = []string{"PCMU/8000", "PCMA/8000", "G722/8000", "opus/48000/2", "iLBC/8000", "AMR/8000", "AMR-WB/16000", "speex/16000", "speex/8000"}

// newRandomSection makes a section; every codec may come with red, and red and codecs with rtx.
func newRandomSection(r *rand.Rand) randomSection {
	s := randomSection{port: r.IntN(4) * 1000, others: []string{"a=ptime:20", "b=AS:64", "a=rtcp-fb:* nack", "a=sendrecv"}}
	numbers := r.Perm(32)
	next := func() int { n := numbers[0]; numbers = numbers[1:]; return 96 + n }
	add := func(name string, clock, carries int, lines ...string) int {
		n := next()
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], "#", fmt.Sprint(n))
		}
		s.formats = append(s.formats, offered{n, name, clock, carries, lines})
		return n
	}
	for _, i := range r.Perm(len(library))[:r.IntN(len(library))] {
		name, rest, _ := strings.Cut(library[i], "/")
		var clock int
		if _, err := fmt.Sscan(strings.TrimSuffix(rest, "/2"), &clock); err != nil {
			panic(err)
		}
		n := add(name, clock, -1, "a=rtpmap:# "+library[i], "a=fmtp:# x=1;y=2", "a=rtcp-fb:# nack")
		if r.IntN(4) == 0 {
			n = add("red", clock, n, "a=rtpmap:# red/"+rest, fmt.Sprintf("a=fmtp:# %d/%d", n, n))
		}
		if r.IntN(4) == 0 {
			add("rtx", clock, n, fmt.Sprintf("a=rtpmap:# rtx/%d", clock), fmt.Sprintf("a=fmtp:# apt=%d;rtx-time=100", n))
		}
	}
	for _, clock := range []int{8000, 16000, 48000} {
		for _, name := range []string{"telephone-event", "CN", "ulpfec"} {
			if r.IntN(2) == 0 && len(s.formats) > 0 {
				add(name, clock, -1, fmt.Sprintf("a=rtpmap:# %s/%d", name, clock), "a=fmtp:# 0-16")
			}
		}
	}
	if len(s.formats) == 0 {
		add("PCMU", 8000, -1, "a=rtpmap:# PCMU/8000")
	}
	r.Shuffle(len(s.formats), func(i, j int) { s.formats[i], s.formats[j] = s.formats[j], s.formats[i] })
	return s
}

// text writes the section with some of its payload types, in an order of their own, and the lines of those.
func (s randomSection) text(r *rand.Rand, port int, formats []offered) string {
	kept := map[int]bool{}
	var b strings.Builder
	fmt.Fprintf(&b, "m=audio %d RTP/AVP", port)
	for _, f := range formats {
		fmt.Fprintf(&b, " %d", f.number)
		kept[f.number] = true
	}
	b.WriteString("\r\n")
	type line struct {
		text  string
		owner int
	}
	lines := make([]line, 0, 8*len(s.formats))
	for _, f := range s.formats {
		for _, text := range f.lines {
			lines = append(lines, line{text, f.number})
		}
	}
	for _, text := range s.others {
		lines = append(lines, line{text, 0})
	}
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, l := range lines {
		if l.owner == 0 || kept[l.owner] {
			b.WriteString(l.text + "\r\n")
		}
	}
	return b.String()
}

// leave says what a list leaves of the section.
func (s randomSection) leave(list []string) []offered {
	var left []offered
	isLeft := map[int]bool{}
	take := func(f offered) {
		if !isLeft[f.number] {
			isLeft[f.number] = true
			left = append(left, f)
		}
	}
	carriers := map[string]bool{"red": true, "rtx": true}
	servants := map[string]bool{"telephone-event": true, "CN": true, "ulpfec": true}
	clocks, ever := map[int]bool{}, map[int]bool{}
	for _, element := range list {
		mine := map[int]bool{}
		for _, f := range s.formats {
			mapped := strings.Fields(f.lines[0])[1]
			if !carriers[f.name] && !servants[f.name] && !isLeft[f.number] && (strings.EqualFold(f.name, element) || strings.EqualFold(mapped, element)) {
				mine[f.number], clocks[f.clock] = true, true
				take(f)
			}
		}
		for range 2 { // rtx may be for red, which may come behind it.
			for _, f := range s.formats {
				if carriers[f.name] && mine[f.carries] {
					mine[f.number] = true
				}
			}
		}
		for _, f := range s.formats {
			if carriers[f.name] && mine[f.number] {
				take(f)
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	digits := false
	for _, f := range s.formats {
		if !carriers[f.name] && !servants[f.name] {
			ever[f.clock] = true
		}
		digits = digits || f.name == "telephone-event" && clocks[f.clock]
	}
	for _, f := range s.formats {
		if servants[f.name] && clocks[f.clock] || f.name == "telephone-event" && !digits && !ever[f.clock] {
			take(f)
		}
	}
	return left
}

// TestOracle compares the filter with the oracle on random offers and lists.
func TestOracle(t *testing.T) {
	seen := map[Outcome]int{}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []string
		for _, i := range r.Perm(len(library))[:1+r.IntN(4)] {
			element := library[i]
			if r.IntN(2) == 0 {
				element, _, _ = strings.Cut(strings.ToLower(element), "/")
			}
			list = append(list, element)
		}
		var in, want strings.Builder
		in.WriteString(prologue)
		want.WriteString(prologue)
		on, off := 0, 0
		for range 1 + r.IntN(3) {
			s := newRandomSection(r)
			order := r.Uint64() // Both texts shuffle their lines alike.
			in.WriteString(s.text(rand.New(rand.NewPCG(order, 2)), s.port, s.formats))
			left, port := s.leave(list), s.port
			switch {
			case s.port == 0:
				left = s.formats
			case left == nil:
				left, port = s.formats[:1], 0
				off++
			default:
				on++
			}
			want.WriteString(s.text(rand.New(rand.NewPCG(order, 2)), port, left))
		}
		wanted, outcome := want.String(), Edited
		switch {
		case off > 0 && on == 0:
			wanted, outcome = "", NoCodec
		case wanted == in.String():
			wanted, outcome = "", Untouched
		}
		p := compile(t, strings.Join(list, ","))
		got, is := p.Filter(nil, []byte(in.String()))
		seen[is]++
		if is != outcome || string(got) != wanted {
			t.Fatalf("seed %d, policy %s: %v, want %v\n%s\nwant\n%s\nof\n%s", seed, p, is, outcome, got, wanted, in.String())
		}
		checkInvariants(t, p, []byte(in.String()))
	}
	if seen[Edited] == 0 || seen[NoCodec] == 0 || seen[Untouched] == 0 {
		t.Errorf("the random offers are too much alike: %v", seen)
	}
	t.Log(seen)
}
