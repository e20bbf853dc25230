package resolve

// dueQueue is a heap (container/heap) of names by when they are due. Each name knows its place.
type dueQueue []*name

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds a name at the end.
func (q *dueQueue) Push(x any) {
	n := x.(*name)
	n.index = len(*q)
	*q = append(*q, n)
}

// Pop takes the last name off.
func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	n.index = -1
	(*q)[last] = nil
	*q = (*q)[:last]
	return n
}
