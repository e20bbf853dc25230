package providers

import "strings"

// Pattern tells texts of replies apart, without regard to the case of ASCII letters.
//
// Without a star it is for words: "D2" is in "profile channel limit exceeded D2" and not in "Forbidden D22". With stars
// it is for the whole text, a star standing for anything: "*limit*", "CPS *". The zero value is for no text.
type Pattern struct {
	words string   // In lower case.
	parts []string // What stands between the stars; nil when there are none.
}

// maxJudged bounds how much of a text is looked at: a provider may write 64 KiB into a header.
const maxJudged = 512

// CompilePattern makes a pattern of its text.
func CompilePattern(text string) Pattern {
	lower := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
	if strings.Contains(lower, "*") {
		return Pattern{parts: strings.Split(lower, "*")}
	}
	return Pattern{words: lower}
}

// Match says whether the pattern is for text. It looks at the first 512 bytes of it, and allocates nothing.
func (p *Pattern) Match(text []byte) bool {
	text = text[:min(len(text), maxJudged)]
	if p.parts != nil {
		return p.matchWhole(text)
	}
	if p.words == "" {
		return false
	}
	for from := 0; ; {
		at := indexFold(text[from:], p.words)
		if at < 0 {
			return false
		}
		at += from
		end := at + len(p.words)
		if edge(text, at) && edge(text, end) {
			return true
		}
		from = at + 1
	}
}

// edge says whether a word may begin or end at a place: not between two of its letters.
func edge(text []byte, at int) bool {
	return at == 0 || at == len(text) || !isWordByte(text[at-1]) || !isWordByte(text[at])
}

// isWordByte takes letters that are no ASCII for parts of words, without looking closer.
func isWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}

// matchWhole finds the first part at the start, the last at the end, and the others between them in their order: the
// first place that fits is as good as any later one.
func (p *Pattern) matchWhole(text []byte) bool {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(text) < len(first)+len(last) || !equalFold(text[:len(first)], first) || !equalFold(text[len(text)-len(last):], last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		at := indexFold(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// indexFold finds lower in text, -1 when it is not there.
func indexFold(text []byte, lower string) int {
	for at := 0; at+len(lower) <= len(text); at++ {
		if equalFold(text[at:at+len(lower)], lower) {
			return at
		}
	}
	return -1
}

func equalFold(text []byte, lower string) bool {
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
