package health

import "time"

// Figures are what a Series counted within a window.
type Figures struct {
	Outcomes [numOutcomes]uint64
	Measured uint64        // Answered calls whose end came this way, and whose length is so known.
	Talk     time.Duration // Their length together.

	pdd [pddBuckets]uint64
}

func (f *Figures) add(b *bucket) {
	for i := range f.Outcomes {
		f.Outcomes[i] += uint64(int64(int32(b.outcomes[i].Load()))) // Signed: an amendment may count below zero.
	}
	f.Measured += uint64(b.ended.Load())
	f.Talk += time.Duration(b.talk.Load()) * time.Millisecond
	for i := range f.pdd {
		f.pdd[i] += uint64(b.countedPDD(i))
	}
}

// Attempts is how often the provider was asked to carry a call: the seizures of ITU-T E.425.
func (f *Figures) Attempts() uint64 {
	n := uint64(0)
	for _, c := range f.Outcomes {
		n += c
	}
	return n
}

// Effective is how many attempts came to the callee: answered, busy, unanswered, refused there, or given up by the
// caller. What the callee or the caller decides blames nobody.
func (f *Figures) Effective() uint64 {
	return f.Outcomes[Answered] + f.Outcomes[Busy] + f.Outcomes[NoAnswer] + f.Outcomes[Rejected] + f.Outcomes[HungUp]
}

// ASR is the answer seizure ratio of ITU-T E.425: answered attempts among all; without redirected ones, which ask for
// another attempt, as in RFC 6076 section 4.6. It is false without any.
func (f *Figures) ASR() (float64, bool) {
	return ratio(f.Outcomes[Answered], f.Attempts()-f.Outcomes[Moved])
}

// NER is the network effectiveness ratio of ITU-T E.425: effective attempts among those that could have been. A number
// that nobody has, and a redirect, say nothing of the network, and are left out.
func (f *Figures) NER() (float64, bool) {
	return ratio(f.Effective(), f.Effective()+f.Outcomes[Ailing])
}

// ACD is the average call duration of the answered calls that ended in the window, as far as their end was seen. It is
// false without any.
func (f *Figures) ACD() (time.Duration, bool) {
	if f.Measured == 0 {
		return 0, false
	}
	return f.Talk / time.Duration(f.Measured), true
}

// Rang is how many attempts have a post-dial delay: those that got a 18x.
func (f *Figures) Rang() uint64 {
	n := uint64(0)
	for _, c := range f.pdd {
		n += c
	}
	return n
}

// PDD is the post-dial delay that a share q of the attempts that rang did not exceed, to an eighth. It is false when
// none rang.
func (f *Figures) PDD(q float64) (time.Duration, bool) {
	n := f.Rang()
	if n == 0 {
		return 0, false
	}
	rank, below := q*float64(n), float64(0)
	for i, c := range f.pdd {
		if c == 0 || below+float64(c) < rank {
			below += float64(c)
			continue
		}
		from, to := pddBounds(i)
		return time.Duration((from + (to-from)*(rank-below)/float64(c)) * float64(time.Millisecond)), true
	}
	return 0, false
}

func ratio(part, whole uint64) (float64, bool) {
	if whole == 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}
