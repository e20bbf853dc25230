package router

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/router/transport"
)

// forecast keeps the calls that are let in from bringing more work later than there is time for.
//
// An INVITE costs less than what follows when the callee answers, ten seconds later maybe: a router that is not busy can let in more
// than twice the calls that it can carry to their end, and is buried under their answers afterwards, which it may not refuse. So
// while more calls begin than there is time for to their end, shares are bounded before there is any backlog.
//
// How many there is time for shows under pressure, when all that is done is all that there is time for. Without, it is more than what is
// done, and no more than what follows from how long workers wait, which is too much where others take the processor.
type forecast struct {
	capacity float64       // Calls a second from their INVITE to their end; zero: not known.
	bound    float64       // Of each source's share; zero: there is none.
	idle     time.Duration // Since the bound was refused to somebody.
	calm     time.Duration // Since there was pressure, or a bound.
	strained bool          // The period before was one under pressure,
	work     float64       // in which so much was done; zero: the one before that was none.
	usual    level         // Of the last ten seconds or so.
}

// level is how much work there was, in calls a second, and how much of the time workers were at work, with all that they have to do.
type level struct{ work, busy float64 }

// afterwards is how much work follows the ringing of a call, as a multiple of the work until then: a 200, ACK, BYE and its 200, after
// an INVITE, with routing and session description, and a 180. As both are measured at once, little depends on it.
const afterwards = 1.5

// refusing is the work of a refusal, as a part of that of a call: with what the kernel has to do for it, and the ACK.
const refusing = 1.0 / 12

const (
	excess   = 1.4              // Times capacity: so many more calls must begin than there is time for before shares are bounded,
	margin   = 1.1              // and so many more may begin then. Their answers are less than there is time for; pressure sees to the rest.
	throng   = 1.5              // Times the bound: so many more must begin for there to be several sources that share what there is, rather than one that has its burst too.
	rings    = 1.0 / 12         // Of the calls of a second: so many must be in progress for them to ring, rather than to be late under pressure.
	near     = 0.95             // Times the target: what begins is about as much as it should be.
	learning = 0.2              // How much a period says of the capacity.
	recovery = 0.2              // By how much more is tried in the time that a call takes, or a second if that is more.
	loosened = time.Second      // Without a refusal, after which the bound ends.
	trust    = 0.6              // What the time in which threads want to run says of the capacity is taken for so many times that: where others take the processor too, they wait longer the more there is to do.
	furthest = 2                // Times what is done: so much of a capacity is believed at most that nobody has seen used.
	memory   = 10 * time.Minute // Without pressure or a bound, after which the capacity is forgotten.
	usually  = 10               // Seconds over which it is found what is usual.
	worth    = 0.5              // Share of the time at work from which on it says something of the capacity: calls of which none is answered yet are 0.4 of their work.
)

// fewest is how many calls a second must begin in all for shares to be bounded: with less time than for these, pressure has to do.
const fewest = 1000

// leastBound is what no bound goes below, in new requests a second: who places that few calls is not who brings too many.
const leastBound = 100

// period is what was seen of a while.
type period struct {
	length      time.Duration
	begun, done float64 // Calls a second.
	refused     float64 // New requests a second that were beyond a share.
	ringing     float64 // Calls that have no final response at its end.
	strained    bool    // Workers were under pressure.
	// The share of the time that workers were at work: at least, which leaves out that they waited for a processor, and at most, which is
	// 1 when it is not known.
	least, most float64
}

// work is what was done, in calls a second from their INVITE to their end.
func (p *period) work() float64 {
	return (p.begun+afterwards*p.done)/(1+afterwards) + refusing*p.refused
}

// next returns what is to bound shares after a period, in new requests a second and source; 0 for nothing.
func (f *forecast) next(p *period) int64 {
	f.learn(p)
	capacity := f.capacity
	if most := f.most(p); !p.strained && most != 0 && (capacity == 0 || most < capacity) {
		capacity = most
	}
	f.limit(p, capacity)
	return int64(f.bound)
}

// most returns what a period says that the capacity is at most; 0 for nothing. Workers have other things to do too, so it goes by how much more of
// their time is gone than usual.
func (f *forecast) most(p *period) float64 {
	is := level{p.work(), p.least}
	than := f.usual
	weight := min(1, p.length.Seconds()/usually)
	f.usual.work += (is.work - than.work) * weight
	f.usual.busy += (is.busy - than.busy) * weight
	if is.busy < worth || is.busy-than.busy < worth/2 || is.work <= than.work {
		return 0
	}
	return is.work + (1-is.busy)*(is.work-than.work)/(is.busy-than.busy)
}

// learn takes from a period what it says of the capacity.
func (f *forecast) learn(p *period) {
	work, before, last := p.work(), f.strained, f.work
	f.strained, f.work = p.strained, 0
	f.calm += p.length
	if p.strained || f.bound != 0 {
		f.calm = 0
	}
	switch {
	case p.strained && before: // Of the first and the last some part was without pressure.
		f.work = work
		if f.capacity == 0 {
			f.capacity = last
		} else if last != 0 {
			f.capacity += (last - f.capacity) * learning
		}
	case p.strained:
	case f.calm >= memory:
		f.capacity = 0
	case f.capacity != 0:
		if f.bound != 0 && p.refused != 0 {
			setup := max(p.ringing/max(p.done, 1), 1) // Little's law, in seconds.
			f.capacity *= 1 + recovery*p.length.Seconds()/setup
		}
		f.capacity = max(f.capacity, min(trust*work/p.most, furthest*work))
		if work > f.capacity { // What is done without pressure is not too much.
			f.capacity += (work - f.capacity) * learning
		}
	}
}

// limit finds the bound for a capacity.
func (f *forecast) limit(p *period, capacity float64) {
	// What is offered beyond has to be refused, which takes time too.
	target := margin * max((capacity-refusing*(p.begun+p.refused))/(1-refusing), capacity/4, leastBound)
	f.idle += p.length
	if p.refused != 0 {
		f.idle = 0
	}
	switch {
	case capacity == 0 || f.bound != 0 && f.idle >= loosened:
		f.bound = 0
	case f.bound == 0:
		// Calls that do not ring bring nothing later: pressure sees to them.
		if p.begun > max(excess*capacity, fewest) && p.ringing > rings*capacity {
			f.bound, f.idle = target, 0
			if f.capacity == 0 {
				f.capacity = capacity
			}
		}
	case p.begun > max(throng*f.bound, target):
		f.bound *= target / p.begun
		if p.refused == 0 { // Nobody reaches it yet.
			f.bound /= 2
		}
		f.bound = max(f.bound, leastBound)
	case !p.strained && p.refused != 0 && p.begun < near*target:
		f.bound = min(f.bound*max(1+recovery, target/max(p.begun, 1)*(1-recovery)), target)
	default:
		f.bound = min(f.bound, target)
	}
}

// How long a period is: a short one is enough to see that more begins than should.
const (
	whole = int64(100 * time.Millisecond) // Three beats of the wheel as a rule,
	brief = int64(30 * time.Millisecond)  // and one.
)

// foresight is what foresee keeps from one time to the next.
type foresight struct {
	forecast forecast
	then     int64
	done     int64
	refusals int64
	ringing  int64
	waited   []time.Duration // Of each worker.
	now      []time.Duration
	busy     float64       // What atWork returned before.
	ran      time.Duration // What threadTime said; zero: not asked.
}

// foresee measures what workers do, and bounds what they let in.
func (r *Router) foresee(now int64) {
	s, v := &r.shares, &r.foresight
	least := whole
	if f := &v.forecast; f.capacity != 0 && f.bound == 0 && !s.strain.Load() {
		least = brief
	}
	if now-v.then < least {
		return
	}
	length := time.Duration(now - v.then)
	done, refusals, ringing := s.done.Load(), s.refusals.Load(), r.callsInProgress.Load()
	p := period{
		length:   length,
		done:     float64(done-v.done) / length.Seconds(),
		begun:    max(0, float64(done-v.done+ringing-v.ringing)/length.Seconds()),
		refused:  float64(refusals-v.refusals) / length.Seconds(),
		ringing:  float64(ringing),
		strained: s.strain.Swap(false) || s.pressed.Load() != 0,
		least:    v.atWork(r.tr, length),
		most:     v.runnable(length),
	}
	v.then, v.done, v.refusals, v.ringing = now, done, refusals, ringing
	if bound := v.forecast.next(&p); bound != s.bound.Load() { // Every worker reads it.
		s.bound.Store(bound)
	}
}

// atWork returns the share of a period in which the busiest UDP worker did not wait for datagrams, or of the period before if that was less:
// not all waits are timed.
func (v *foresight) atWork(tr *transport.Transport, length time.Duration) float64 {
	v.now = tr.Waited(v.now[:0])
	busiest := 0.0
	for i, waited := range v.now {
		if i < len(v.waited) {
			busiest = max(busiest, 1-float64(waited-v.waited[i])/float64(length))
		}
	}
	v.waited, v.now = v.now, v.waited
	busiest, v.busy = min(busiest, v.busy), min(busiest, 1)
	return busiest
}

// runnable returns the share of a period in which the program's threads were at work or waited for a processor, for each that UDP workers may
// have; what is left to 1 is time that nobody needed. It asks only while a capacity is known, as that costs more than an idle router otherwise does.
func (v *foresight) runnable(length time.Duration) float64 {
	before := v.ran
	if v.forecast.capacity == 0 {
		v.ran = 0
		return 1
	}
	v.ran = threadTime("/proc/self/task")
	if before == 0 || v.ran <= before || len(v.waited) == 0 {
		return 1
	}
	return min(float64(v.ran-before)/float64(length)/float64(min(len(v.waited), runtime.NumCPU())), 1)
}

// threadTime returns how long threads have been at work and have waited for a processor so far (the first two figures of
// /proc/PID/task/TID/schedstat, in nanoseconds); 0 when the system does not tell.
func threadTime(dir string) time.Duration {
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	sum := int64(0)
	for _, t := range threads {
		text, err := os.ReadFile(filepath.Join(dir, t.Name(), "schedstat"))
		if err != nil {
			continue // It has ended.
		}
		figures := strings.Fields(string(text))
		for _, figure := range figures[:min(2, len(figures))] {
			if n, err := strconv.ParseInt(figure, 10, 64); err == nil {
				sum += n
			}
		}
	}
	return time.Duration(sum)
}
