package resolve

import "time"

// maxCached is how many answers of one-off look-ups are kept.
const maxCached = 4096

// cached is an answer and when it has to be asked for again. It is kept beyond that, for when DNS is away.
type cached struct {
	answer *answer
	until  time.Time
}

// cache keeps the answers that were used last, in two generations: when the young one is full it becomes the old one,
// and what is not asked for again goes with that.
type cache struct {
	young, old map[Query]cached
}

func (c *cache) get(q Query) (cached, bool) {
	if a, ok := c.young[q]; ok {
		return a, true
	}
	a, ok := c.old[q]
	if ok {
		c.put(q, a)
	}
	return a, ok
}

func (c *cache) put(q Query, a cached) {
	if len(c.young) >= maxCached/2 {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = make(map[Query]cached)
	}
	c.young[q] = a
}
