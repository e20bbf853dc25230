package router

import (
	"github.com/voipbin/dialrouter/router/message"
)

// Our branch parameter finds a transaction without a map:
//
//	z9hG4bK 0000002a 9f3c61d07be2a458 5d2f0c11
//	        slot     nonce            loop hash
//
// all in hexadecimal of fixed width. The nonce is drawn at random for each attempt, so a response to an attempt that
// is over does not match the one that has its slot now, and nobody off the path can guess it.
const (
	branchLen = len(message.MagicCookie) + 8 + 16 + 8
	// statelessMark stands in place of the slot in the branch of an ACK to a 2xx, which has no transaction.
	statelessMark = ^uint32(0)
	// probeMark stands there in the branch of a probe. No call has that slot, so telling responses to probes apart costs
	// calls nothing.
	probeMark = statelessMark - 1
)

// branch is what a branch parameter of ours says, and of the request that goes with it, whether its body was edited and
// which CSeq number it has.
type branch struct {
	slot   uint32
	nonce  uint64
	loop   uint32
	edited bool
	cseq   uint32
}

// branch is that of an attempt.
func (a *attempt) branch(c *call) branch { return branch{c.slot, a.nonce, a.loop, a.edited, a.cseq} }

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, hexDigits[v>>(4*i)&15])
	}
	return dst
}

func appendBranch(dst []byte, slot uint32, nonce uint64, loop uint32) []byte {
	dst = append(dst, message.MagicCookie...)
	dst = appendHex(dst, uint64(slot), 8)
	dst = appendHex(dst, nonce, 16)
	return appendHex(dst, uint64(loop), 8)
}

func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c-'0' < 10:
			v = v<<4 | uint64(c-'0')
		case c-'a' < 6:
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// parseBranch reads a branch; ok is false for one that is not of our making.
func parseBranch(b []byte) (slot uint32, nonce uint64, loop uint32, ok bool) {
	if len(b) != branchLen || string(b[:7]) != message.MagicCookie {
		return 0, 0, 0, false
	}
	s, ok1 := parseHex(b[7:15])
	n, ok2 := parseHex(b[15:31])
	l, ok3 := parseHex(b[31:39])
	return uint32(s), n, uint32(l), ok1 && ok2 && ok3
}
