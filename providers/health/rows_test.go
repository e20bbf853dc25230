package health

import "testing"

// TestDelaysTakeRows: a bucket has room for the delays that it counted, and not for all there might be.
func TestDelaysTakeRows(t *testing.T) {
	var b, sum bucket
	b.countPDD(9, 3)
	b.countPDD(9, 2)
	b.countPDD(10, 1)
	b.countPDD(pddBuckets-1, 0)
	sum.add(&b)
	for i := range pddBuckets {
		want := map[int]uint32{9: 5, 10: 1}[i]
		if got := sum.countedPDD(i); got != want {
			t.Errorf("bucket %d: %d, want %d", i, got, want)
		}
	}
	rows := 0
	for i := range sum.pdd {
		if sum.pdd[i].Load() != nil {
			rows++
		}
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
}
