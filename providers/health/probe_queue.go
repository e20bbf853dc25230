package health

import "container/heap"

// dueQueue is a heap of the places that wait for their next probe, the one that is due first on top.
type dueQueue []*Place

// Len implements heap.Interface.
func (q dueQueue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *dueQueue) Push(x any) {
	p, _ := x.(*Place) // The heap holds nothing else.
	p.index = len(*q)
	*q = append(*q, p)
}

// Pop implements heap.Interface.
func (q *dueQueue) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	p.index = -1
	return p
}

// put queues a place, or moves it to where its due time belongs.
func (q *dueQueue) put(p *Place) {
	if p.index >= 0 {
		heap.Fix(q, p.index)
		return
	}
	heap.Push(q, p)
}

// drop takes a place out, if it is there.
func (q *dueQueue) drop(p *Place) {
	if p.index >= 0 {
		heap.Remove(q, p.index)
	}
}
