package sdp

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxList is the length of the longest codec list, in bytes, as the API allows it.
const maxList = 255

// unlisted is the rank of what no element of a policy names. A list of 255 bytes holds at most 128 elements.
const unlisted = math.MaxUint8

// The rules that a codec list can break; Compile wraps them with the element that did.
var (
	// ErrTooLong says that a list has more than 255 bytes.
	ErrTooLong = errors.New("longer than 255 bytes")
	// ErrEmptyElement says that a list has a double, leading or trailing comma.
	ErrEmptyElement = errors.New("empty element")
	// ErrLineBreak says that an element holds a CR or LF.
	ErrLineBreak = errors.New("line break")
	// ErrParenthesis says that an element holds a parenthesis.
	ErrParenthesis = errors.New("parenthesis")
)

// Policy is a compiled codec list. It never changes, and is safe for concurrent use. A nil Policy, like the one
// compiled from an empty list, changes nothing.
type Policy struct {
	text   string                  // The canonical list.
	codecs []codec                 // What may stay, in order of preference: the rank of a codec is its index here.
	static [len(staticTypes)]uint8 // The rank of each payload type that needs no rtpmap.
}

// Compile reads a comma-separated list of codecs in order of preference, such as "PCMU,PCMA" or "opus/48000/2,PCMU".
//
// An element is an encoding name as rtpmap has it, in any case, with blanks around it allowed; it may go on with
// /clock and /channels, which a payload type then must match too. Asterisk's ulaw and alaw stand for PCMU and PCMA. A
// name that nobody offers is no error. Names that serve a codec (telephone-event, CN, red, rtx and error correction)
// may stand in the list, but say nothing: these payload types follow the codecs that stay. A list of blanks is an
// empty list, which changes nothing.
//
// The error names the element and wraps one of ErrTooLong, ErrEmptyElement, ErrLineBreak and ErrParenthesis.
func Compile(list string) (*Policy, error) {
	if len(list) > maxList {
		return nil, fmt.Errorf("reading a codec list of %d bytes: %w", len(list), ErrTooLong)
	}
	p := &Policy{}
	var texts []string
	if strings.Trim(list, " \t") != "" {
		for i, text := range strings.Split(list, ",") {
			text = strings.Trim(text, " \t")
			if err := checkElement(text); err != nil {
				return nil, fmt.Errorf("reading codec %d (%q) of the list: %w", i+1, text, err)
			}
			c := parseElement(text)
			if slices.Contains(texts, c.String()) {
				continue
			}
			texts = append(texts, c.String())
			if roleOf([]byte(c.name)) == roleCodec {
				p.codecs = append(p.codecs, c)
			}
		}
	}
	p.text = strings.Join(texts, ",")
	for pt, c := range staticTypes {
		p.static[pt] = p.rank([]byte(c.name), c.clock, c.channels)
	}
	return p, nil
}

// checkElement applies the rules of the API to one element of a list.
func checkElement(text string) error {
	switch {
	case text == "":
		return ErrEmptyElement
	case strings.ContainsAny(text, "\r\n"):
		return ErrLineBreak
	case strings.ContainsAny(text, "()"):
		return ErrParenthesis
	}
	return nil
}

// parseElement reads name[/clock[/channels]]. What does not read so is a name as a whole; no rtpmap can have it, since
// a slash ends the name there.
func parseElement(text string) codec {
	text = lower(text)
	name, rest, more := strings.Cut(text, "/")
	clock, channels, hasChannels := strings.Cut(rest, "/")
	c := codec{name: name}
	if more && !positive(clock, &c.clock) || hasChannels && !positive(channels, &c.channels) || name == "" {
		return codec{name: text}
	}
	if registered, ok := asterisk[name]; ok {
		c.name = registered
	}
	c.clock = rtpClock([]byte(c.name), c.clock)
	return c
}

// positive reads a whole text as a number above 0.
func positive(text string, value *uint32) bool {
	n, size := number([]byte(text), math.MaxUint32)
	*value = n
	return n > 0 && size == len(text)
}

// String returns the codec as a list's element, in its canonical spelling.
func (c codec) String() string {
	text := upper(c.name)
	for _, s := range spellings {
		if lower(s) == c.name {
			text = s
		}
	}
	if c.clock > 0 {
		text += "/" + strconv.FormatUint(uint64(c.clock), 10)
	}
	if c.channels > 0 {
		text += "/" + strconv.FormatUint(uint64(c.channels), 10)
	}
	return text
}

// String returns the canonical list: without blanks and repetitions, in one spelling. Policies with the same canonical
// list do the same.
func (p *Policy) String() string {
	if p == nil {
		return ""
	}
	return p.text
}

// Unrestricted reports whether the policy changes nothing, whatever is offered.
func (p *Policy) Unrestricted() bool { return p == nil || p.text == "" }

// rank returns the place of a codec in the list, or unlisted.
func (p *Policy) rank(name []byte, clock, channels uint32) uint8 {
	for i := range p.codecs {
		c := &p.codecs[i]
		if (c.clock == 0 || c.clock == clock) && (c.channels == 0 || c.channels == channels) && equalFold(name, c.name) {
			return uint8(i)
		}
	}
	return unlisted
}
