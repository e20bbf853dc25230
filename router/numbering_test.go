package router

import "testing"

func TestNumbering(t *testing.T) {
	for _, tt := range []struct {
		first    uint32
		shift    uint8
		in, want uint32
	}{
		{100, 0, 100, 100},
		{100, 1, 100, 101},
		{100, 1, 101, 109},
		{100, 7, 102, 123},
		{100, 1, 99, 93},
		{3, 1, 0, 0},
		{0, 0, 0, 0},
		{0, 3, 1, 11},
		{cseqRoom - 1, 7, cseqRoom - 1, cseqRoom + 6},
		{cseqRoom, 0, cseqRoom, 0},
		{cseqEnd - 1, 2, cseqEnd - 1, cseqRoom + 1},
		{cseqEnd - 1, 2, cseqEnd, cseqRoom + 9},
		{1<<32 - 1, 0, 1<<32 - 1, cseqRoom - 1},
		{0, 0, 1<<32 - 1, cseqEnd - 1},
	} {
		if got := (numbering{tt.first, tt.shift}).out(tt.in); got != tt.want {
			t.Errorf("first %d, shift %d: %d goes out as %d, want %d", tt.first, tt.shift, tt.in, got, tt.want)
		}
	}
}

// FuzzNumbering checks that numbers go up strictly, with room between them for what is sent again, never reach what RFC
// 3261 forbids, and come back as they went.
func FuzzNumbering(f *testing.F) {
	f.Add(uint32(100), uint8(1), uint32(0), uint8(0))
	f.Add(uint32(cseqEnd-1), uint8(7), uint32(1), uint8(7))
	f.Add(uint32(1<<32-1), uint8(3), uint32(1<<26), uint8(1))
	f.Add(uint32(0), uint8(0), uint32(1<<27-2), uint8(7))
	f.Fuzz(func(t *testing.T, first uint32, shift uint8, ahead uint32, repeats uint8) {
		s := numbering{first, shift % cseqStride}
		if s.out(first) != begin(first)+uint32(s.shift) {
			t.Fatalf("%+v: the first goes out as %d", s, s.out(first))
		}
		n := first + ahead
		if n < first || n == 1<<32-1 {
			return // No caller counts beyond what CSeq can say.
		}
		got, next := s.out(n), s.out(n+1)
		if got >= cseqEnd || next >= cseqEnd {
			t.Fatalf("%+v: %d goes out as %d", s, n, got)
		}
		if ahead > (cseqEnd-cseqRoom)/cseqStride-3 {
			if next < got {
				t.Fatalf("%+v: %d goes out as %d, the next as %d", s, n, got, next)
			}
			return // More requests than a dialog can have.
		}
		if next-got != cseqStride {
			t.Fatalf("%+v: %d goes out as %d, the next as %d", s, n, got, next)
		}
		// The first of a dialog leaves no room below its shift: what was sent again is in it.
		if back := s.in(got + uint32(repeats%cseqStride)); back != n {
			t.Fatalf("%+v: %d, sent again %d times, comes back as %d", s, n, repeats%cseqStride, back)
		}
	})
}
