package router

import "time"

// pressLevel says what a worker does with new requests while it is behind.
type pressLevel uint8

const (
	pressNone pressLevel = iota // Takes them all.
	pressShed                   // Answers 503 to sources that are beyond their share.
	pressDrop                   // Does not even read theirs: answering takes too long already.
)

// What the backlog, in percent of a socket's receive buffer, means. 4 MiB hold some 3,000 messages, which is 15 to 30 ms
// of work; whatever finds no room is lost, be it a BYE or a reply.
const (
	shedAt  = 40 // From here on new requests are shed,
	shedEnd = 20 // down to here.
	hurryAt = 60 // If it is those within their share who are too many, it is halved.
	dropAt  = 85 // Sending replies is too much as well.
)

// manyTaken is how many new requests of a batch of 64 messages must have been let through within their share to be what
// takes the time: one costs as much as five messages or so. When it is the flood of others that takes it, a smaller share
// would not help.
const manyTaken = 4

const (
	// busyFor is how long a worker must have had a backlog without a pause before it means anything: less is a burst, or what has piled up while the process had no processor, and is gone as soon.
	busyFor = int64(10 * time.Millisecond)
	// patience is how long a backlog that is falling has time for it before shares are halved again: calls that were let in
	// before have messages to come yet.
	patience = int64(20 * time.Millisecond)
	// episode is how long after it was under pressure last a worker sheds at once when there is a backlog again.
	episode = int64(time.Second)
)

// pressure is what one reading goroutine knows of its backlog. Its decisions need no clock, lock or socket, and the
// work that it saves is measured by the very queue that it looks at: when shedding empties the queue, it ends.
//
//	backlog  0 ...... shedEnd ...... shedAt ...... hurryAt ...... dropAt ... full
//	level    none  |  as before    | shed        | shed         | drop
//	share    grows | grows         | stays       | halved       | halved, while the backlog does not fall
type pressure struct {
	level pressLevel
	busy  int64 // Since when there has been a backlog; zero: there is none.
	until int64 // When the episode ends.
	taken int   // New requests let through within their share since the last backlog.
	high  int   // The backlog when shares were halved last,
	then  int64 // and when that was.
}

// falling is by how much less of a backlog, in percent, shows that halving the shares has begun to help.
const falling = 2

// eased is told when shares were halved.
func (p *pressure) eased(now int64, percent int) { p.high, p.then = percent, now }

// lately says whether there is, or was within an episode, too much to do.
func (p *pressure) lately(now int64) bool { return p.level != pressNone || now < p.until }

// update takes a backlog, 0 when there is none, and says whether the share of each source should shrink (-1), may grow
// (1) or stay (0).
func (p *pressure) update(now int64, percent int) int {
	switch {
	case percent == 0:
		p.busy = 0
	case p.busy == 0:
		p.busy = now
	}
	many := p.taken >= manyTaken
	p.taken = 0
	known := now < p.until || percent > 0 && now-p.busy >= busyFor
	switch {
	case percent >= dropAt && known:
		p.level = pressDrop
	case percent >= shedAt && known:
		p.level = pressShed
	case percent <= shedEnd || !known:
		p.level = pressNone
	default:
		p.level = min(p.level, pressShed)
	}
	switch {
	case p.level != pressNone && percent >= hurryAt && many && (percent > p.high-falling || now-p.then >= patience):
		p.until = now + episode
		return -1
	case p.level != pressNone && percent >= shedAt:
		p.until = now + episode
		return 0
	default:
		return 1
	}
}
