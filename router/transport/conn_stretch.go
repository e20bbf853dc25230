package transport

// stretch is a piece of a stream to write: messages one after the other, and
// now and then an answer to a ping, which no mark names.
//
//	stream  ......| INVITE | ACK | CRLF | BYE |......
//	              at        sent: the kernel has it up to here
type stretch struct {
	at    uint64 // where it begins in the stream
	buf   []byte
	sent  int
	marks []mark
}

// mark is where one message lies in a stretch.
type mark struct {
	begin, end int
	to         Flow
	again      bool // it was lost with another connection before
	late       bool // the connection had ended already
}

func (s *stretch) empty() bool { return len(s.buf) == 0 }

// end returns where the stretch ends in the stream.
func (s *stretch) end() uint64 { return s.at + uint64(len(s.buf)) }

// add appends one message.
func (s *stretch) add(data []byte, m mark) {
	m.begin = len(s.buf)
	s.buf = append(s.buf, data...)
	m.end = len(s.buf)
	s.marks = append(s.marks, m)
}

// append adds a stretch that follows this one.
func (s *stretch) append(next *stretch) {
	shift := len(s.buf)
	s.buf = append(s.buf, next.buf...)
	for _, m := range next.marks {
		m.begin, m.end = m.begin+shift, m.end+shift
		s.marks = append(s.marks, m)
	}
}

// cut drops the messages that end at a place in the stream or before it.
func (s *stretch) cut(at uint64) {
	n := 0
	for n < len(s.marks) && s.at+uint64(s.marks[n].end) <= at {
		n++
	}
	begin := len(s.buf)
	if n < len(s.marks) {
		begin = s.marks[n].begin
	}
	s.buf = append(s.buf[:0], s.buf[begin:]...)
	s.marks = append(s.marks[:0], s.marks[n:]...)
	for i := range s.marks {
		s.marks[i].begin -= begin
		s.marks[i].end -= begin
	}
	s.at += uint64(begin)
	s.sent = max(s.sent-begin, 0)
}

// keepStretch is how much memory an idle connection keeps for writing.
const keepStretch = 16 << 10

// reset empties the stretch.
func (s *stretch) reset() {
	if cap(s.buf) > keepStretch {
		*s = stretch{}
	}
	s.buf, s.sent, s.marks = s.buf[:0], 0, s.marks[:0]
}
