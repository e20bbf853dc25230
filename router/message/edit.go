package message

// Edits is a list of changes to a message, to be applied in one pass into a copy. The text of all changes lies in one
// buffer that is reused.
//
//	e.Reset()
//	e.Replace(m.URI)           // what the next Put calls write stands in place of the span
//	e.PutString("sip:b@example.net")
//	e.Insert(m.HeadersEnd)     // ... or goes in before that byte
//	out := e.Apply(dst, m.Buf)
//
// Changes may be named in any order; they must not overlap. Several at one place are applied in the order named.
type Edits struct {
	ops  []edit
	text []byte
}

// edit replaces the bytes [start, end) by text[from:] up to the next edit's from.
type edit struct {
	start, end uint32
	from, to   uint32
}

// Reset forgets all changes.
func (e *Edits) Reset() { e.ops, e.text = e.ops[:0], e.text[:0] }

// Replace puts what is written next in place of the span.
func (e *Edits) Replace(s Span) {
	n := uint32(len(e.text))
	e.ops = append(e.ops, edit{s.Start, s.End, n, n})
}

// Insert puts what is written next before the byte at the position.
func (e *Edits) Insert(at uint32) { e.Replace(Span{at, at}) }

// Delete removes the span.
func (e *Edits) Delete(s Span) { e.Replace(s) }

// Put writes text for the change that was named last.
func (e *Edits) Put(b []byte) {
	e.text = append(e.text, b...)
	e.ops[len(e.ops)-1].to = uint32(len(e.text))
}

// PutString is Put for a string.
func (e *Edits) PutString(s string) {
	e.text = append(e.text, s...)
	e.ops[len(e.ops)-1].to = uint32(len(e.text))
}

// PutUint writes a decimal number.
func (e *Edits) PutUint(n uint64) {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	e.Put(b[i:])
}

// Buffer lends the text written so far to append-style writers; Wrote takes it back, grown.
func (e *Edits) Buffer() []byte { return e.text }

// Wrote takes back the buffer that Buffer lent: what was appended belongs to the change that was named last.
func (e *Edits) Wrote(b []byte) {
	e.text = b
	e.ops[len(e.ops)-1].to = uint32(len(b))
}

// Grown is the length of the result minus that of the source.
func (e *Edits) Grown() int {
	n := len(e.text)
	for _, o := range e.ops {
		n -= int(o.end - o.start)
	}
	return n
}

// Apply appends the edited copy of src to dst and returns it.
func (e *Edits) Apply(dst, src []byte) []byte {
	return e.ApplyRange(dst, src, Span{0, uint32(len(src))})
}

// ApplyRange is Apply for a part of src: it appends the edited copy of the span. Changes outside it must not be named.
func (e *Edits) ApplyRange(dst, src []byte, s Span) []byte {
	// Insertion sort: some ten changes, nearly in order; stable, so that insertions at one place keep their order.
	for i := 1; i < len(e.ops); i++ {
		for j := i; j > 0 && e.ops[j].start < e.ops[j-1].start; j-- {
			e.ops[j], e.ops[j-1] = e.ops[j-1], e.ops[j]
		}
	}
	pos := s.Start
	for _, o := range e.ops {
		if o.start > pos {
			dst = append(dst, src[pos:o.start]...)
			pos = o.start
		}
		dst = append(dst, e.text[o.from:o.to]...)
		pos = max(pos, o.end)
	}
	return append(dst, src[pos:s.End]...)
}
