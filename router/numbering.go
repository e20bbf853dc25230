package router

// A challenge is answered by the same request with the next CSeq number (RFC 3261 section 22.2), which the caller knows
// nothing of. So behind us the caller's numbers run ahead: by what the first request was sent again, and from then on in
// strides, between which there is room for requests of the caller that are challenged within the dialog:
//
//	caller      100 INVITE     101 BYE
//	provider    100, 101       109, 110      (challenged, answered)
//
// The map is fixed when the dialog begins and travels in the route cookie. It goes up strictly, which is all that a
// callee may ask for: gaps are no error (RFC 3261 section 12.2.2). Responses are mapped back by their transaction.
const (
	strideBits = 3
	cseqStride = 1 << strideBits
	maxShift   = cseqStride - 1 // How often one request may be sent again.
	cseqEnd    = 1 << 31        // RFC 3261 section 8.1.1.5.
	// cseqRoom bounds where a dialog's numbers begin on the provider's side, so that strides do not reach cseqEnd. Callers
	// that begin above, as those do that count seconds, are numbered from another place.
	cseqRoom = 1 << 30
)

// numbering maps the caller's CSeq numbers in a dialog to those that the provider gets.
type numbering struct {
	first uint32 // The caller's number of the request that made the dialog.
	shift uint8  // How often that was sent again, to maxShift.
}

// begin is the number that a request outside a dialog goes out with first.
func begin(n uint32) uint32 { return n % cseqRoom }

// out maps a number of the caller. One below the first, which no caller sends, stays below; what would leave the range
// stays at its end, where the callee refuses it.
func (s numbering) out(n uint32) uint32 {
	at := int64(begin(s.first)) + int64(s.shift) + cseqStride*(int64(n)-int64(s.first))
	return uint32(min(max(at, 0), cseqEnd-1))
}

// in maps a number of the provider's back to the caller's: that of the request which the provider knows by it, however
// often it was sent again.
func (s numbering) in(n uint32) uint32 {
	d := int64(n) - int64(begin(s.first)) - int64(s.shift)
	return uint32(max(int64(s.first)+d>>strideBits, 0))
}
