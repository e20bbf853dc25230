package sdp

import "bytes"

// A platform's own media nodes, and most carriers, write one description after another that differ only in the
// session's lines and the port:
//
//	v=0 ... m=audio 40000| RTP/AVP 8 0 101 CRLF a=rtpmap: ... to the end of the body
//	                      `-- the tail
//
// So what became of the last tails is remembered. It is found by the policy and all of the tail's bytes, and nothing
// else decides what becomes of a tail, but that the port in front of it is not 0.
const (
	memoEntries = 16
	memoRoom    = 1280 // The longest tail together with what became of it, in bytes: browsers' are longer, and never the same.
)

// question is what was asked about a tail.
type question uint8

const (
	asksFilter question = iota
	asksViolates
)

// memo remembers what became of tails. The oldest one makes room for a new one.
type memo struct {
	keys [memoEntries]memoKey
	room [memoEntries][memoRoom]byte // The tail, then what became of it.
	next int
}

// memoKey is apart from the bytes, so that a look at all of them is a look at few cache lines.
type memoKey struct {
	policy   *Policy // Nil in one that was never used.
	tail     uint16  // Its length.
	result   uint16  // The length of what became of it, when the outcome is Edited.
	question question
	outcome  Outcome
	violates bool
}

// find returns what is known about a tail, and the bytes that it became; nil for nothing.
func (mm *memo) find(p *Policy, q question, tail []byte) (*memoKey, []byte) {
	for i := range mm.keys {
		k := &mm.keys[i]
		if k.policy != p || int(k.tail) != len(tail) || k.question != q {
			continue
		}
		if room := &mm.room[i]; bytes.Equal(room[:len(tail)], tail) {
			return k, room[len(tail) : len(tail)+int(k.result)]
		}
	}
	return nil, nil
}

// add remembers what became of a tail, if there is room for it; k has the answer.
func (mm *memo) add(k memoKey, tail, result []byte) {
	if len(tail)+len(result) > memoRoom {
		return
	}
	k.tail, k.result = uint16(len(tail)), uint16(len(result))
	mm.keys[mm.next] = k
	room := &mm.room[mm.next]
	copy(room[copy(room[:], tail):], result)
	mm.next = (mm.next + 1) % memoEntries
}

// tailAt returns where the tail of a description begins, whose first m-line the walker stands on; 0 where reading it
// depends on more than its bytes, or where there is something wrong in front of it.
func (w *walker) tailAt() int {
	const kind = "m=audio "
	if !w.more() || !hasPrefix(w.body[w.start:w.stop], kind) {
		return 0
	}
	from, at := word(w.body, w.start+len(kind), w.stop)
	if port, ok := portNumber(w.body[from:at]); !ok || port == 0 || at == w.stop {
		return 0
	}
	if bytes.Count(w.body[:w.end], []byte{'\r'}) != w.returns {
		return 0
	}
	return at
}
