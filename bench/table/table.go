// Package table makes the routing table that every proxy under test carries: the same prefixes, providers and
// numbers on every run.
//
//	prefix      longest match wins; nested (1, 1201, 1201200), so that the match has work to do
//	group A     both providers answer
//	group B     the first provider replies 503, the second answers
//	group C     the first provider is silent, the second answers
//
// Twenty providers, p01 to p20, have a tech prefix 7701 to 7720; p01 to p12 answer, p13 to p16 reply 503, p17 to
// p20 are silent.
package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Kind says how a provider behaves.
type Kind int

// What providers do with an INVITE.
const (
	Answers Kind = iota // 100, 180, 200.
	Busy                // 100, 503.
	Silent              // Nothing at all.
)

// Group names the scenario that a prefix belongs to.
type Group byte

// The groups of prefixes.
const (
	A Group = 'A' // The first provider answers.
	B Group = 'B' // The first provider replies 503.
	C Group = 'C' // The first provider is silent.
)

// MinPrefixes is the size of the smallest table.
const MinPrefixes = 200

// What tells a table from another: the seed, and how many of its prefixes are in groups B and C.
const (
	seed        = 20240601
	perGroup    = 20
	maxProvider = 20
)

// Provider is one of the providers of the table.
type Provider struct {
	Name       string
	TechPrefix string
	Kind       Kind
}

// Route sends a prefix to two providers, in order.
type Route struct {
	Prefix        string
	First, Second int // Indexes of Table.Providers.
	Group         Group
}

// Account and Trace are the values of the two headers that both proxies add; Kamailio puts the Call-ID in place of Trace.
const (
	Account = "acme-0001"
	Trace   = "bench-trace-0001"
)

// Number is a number to dial, with the user parts that its two providers must see.
type Number struct {
	Dial   string // Without a leading plus: both proxies pass it on as it stands.
	First  string
	Second string
}

// Table is a routing table. Routes are in order of their prefixes.
type Table struct {
	Providers []Provider
	Routes    []Route

	byPrefix map[string]int
	longest  int
}

// New makes the table with a number of prefixes, MinPrefixes at least. Those beyond are of group A.
func New(prefixes int) *Table {
	t := &Table{byPrefix: make(map[string]int, prefixes)}
	for i := 1; i <= maxProvider; i++ {
		kind := Answers
		switch {
		case i > 16:
			kind = Silent
		case i > 12:
			kind = Busy
		}
		t.Providers = append(t.Providers, Provider{Name: fmt.Sprintf("p%02d", i), TechPrefix: fmt.Sprintf("77%02d", i), Kind: kind})
	}
	rnd := rand.New(rand.NewPCG(seed, seed))
	all := expand(base(), max(prefixes, MinPrefixes))
	groups := make(map[string]Group, 2*perGroup)
	for _, i := range rnd.Perm(MinPrefixes) {
		p := all[i]
		switch {
		case p == "1" || p == "1555" || p == "155512": // The number of every first call stays in group A.
		case len(groups) < perGroup:
			groups[p] = B
		case len(groups) < 2*perGroup:
			groups[p] = C
		}
	}
	answering, busy, silent := t.ofKind(Answers), t.ofKind(Busy), t.ofKind(Silent)
	for _, p := range all {
		r := Route{Prefix: p, Group: A, Second: pick(rnd, answering)}
		switch groups[p] {
		case B:
			r.Group, r.First = B, pick(rnd, busy)
		case C:
			r.Group, r.First = C, pick(rnd, silent)
		default:
			for r.First = r.Second; r.First == r.Second; {
				r.First = pick(rnd, answering)
			}
		}
		t.Routes = append(t.Routes, r)
	}
	slices.SortFunc(t.Routes, func(a, b Route) int { return strings.Compare(a.Prefix, b.Prefix) })
	for i, r := range t.Routes {
		t.byPrefix[r.Prefix] = i
		t.longest = max(t.longest, len(r.Prefix))
	}
	return t
}

// Match returns the route with the longest prefix of a number, and false when there is none.
func (t *Table) Match(number string) (Route, bool) {
	for l := min(len(number), t.longest); l > 0; l-- {
		if i, ok := t.byPrefix[number[:l]]; ok {
			return t.Routes[i], true
		}
	}
	return Route{}, false
}

// Numbers returns count numbers to dial that belong to a group, the same on every call.
func (t *Table) Numbers(g Group, count int) []Number {
	var pool []string
	for _, r := range t.Routes {
		if r.Group == g {
			pool = append(pool, r.Prefix)
		}
	}
	rnd := rand.New(rand.NewPCG(seed, uint64(g)))
	numbers := make([]Number, 0, count)
	if g == A {
		numbers = append(numbers, t.number("15551234567"))
	}
	for len(numbers) < count {
		n := []byte(pool[rnd.IntN(len(pool))])
		total := 12
		if n[0] == '1' {
			total = 11
		}
		for len(n) < total {
			n = append(n, byte('0'+rnd.IntN(10)))
		}
		if r, _ := t.Match(string(n)); r.Group == g { // A longer prefix of another group may lie below.
			numbers = append(numbers, t.number(string(n)))
		}
	}
	return numbers[:count]
}

func (t *Table) number(dial string) Number {
	r, _ := t.Match(dial)
	return Number{
		Dial:   dial,
		First:  t.Providers[r.First].TechPrefix + dial,
		Second: t.Providers[r.Second].TechPrefix + dial,
	}
}

func (t *Table) ofKind(k Kind) []int {
	var found []int
	for i, p := range t.Providers {
		if p.Kind == k {
			found = append(found, i)
		}
	}
	return found
}

func pick(rnd *rand.Rand, from []int) int { return from[rnd.IntN(len(from))] }

// base returns the first prefixes: country codes, North American area codes, and some networks below them.
func base() []string {
	const areas = "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 " +
		"248 251 252 253 254 256 260 262 267 269 270 272 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 " +
		"318 319 320 321 323 325 330 331 334 336 337 339 346 347 351 352 360 361 385 386 401 402 404 405 406 407 408 409 410 " +
		"412 413 414 415 417 419 423 424 425 430 432 434 435 440 442 443 469"
	const countries = "7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 " +
		"81 82 84 86 90 91 92 93 94 95 98 212 213 216 234 254"
	const networks = "447 4420 44207 4478 4915 49151 4916 4917 4930 336 337 3313 346 347 393 3906 316 3120 324 467 479 485 486 " +
		"614 612 5511 55119 521 5255 8190 8613 86138 919 9198 9180 971 97150 972 9725 380 38067 995 375 420 421 353 35387 351"
	all := []string{"1", "1555", "155512"}
	for area := range strings.FieldsSeq(areas) {
		all = append(all, "1"+area)
	}
	all = append(all, strings.Fields(countries)...)
	return append(all, strings.Fields(networks)...)
}

// expand brings a list of distinct prefixes to a length with exchanges below the North American area codes: six
// digits after the 1, then seven, so that a large table is deep too.
func expand(list []string, count int) []string {
	if len(list) >= count {
		return list[:count]
	}
	have := make(map[string]bool, count)
	for _, p := range list {
		have[p] = true
	}
	for digits, n := 7, 1_200_200; len(list) < count; n += 7 {
		if n >= pow10(digits) {
			digits++
			n = 12 * pow10(digits-2)
		}
		p := strconv.Itoa(n)
		if p[0] != '1' {
			n = pow10(digits) - 7
			continue
		}
		if !have[p] {
			have[p] = true
			list = append(list, p)
		}
	}
	return list
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}
