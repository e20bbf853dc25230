package dialplan

import (
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"
)

// ownerSlot is a customer's entry. It is half a cache line, so that a lookup costs one.
type ownerSlot struct {
	customer uuid.UUID // uuid.Nil: a free slot.
	tree     tree
	_        uint32
}

// ownerTable finds a customer's tree: open addressing with linear probing, never more than half full.
type ownerTable []ownerSlot

func newOwnerTable(customers int) ownerTable {
	return make(ownerTable, 1<<bits.Len(uint(2*customers)))
}

func (o ownerTable) slot(customer uuid.UUID) *ownerSlot {
	high, low := binary.LittleEndian.Uint64(customer[:8]), binary.LittleEndian.Uint64(customer[8:])
	for i := mix(high ^ mix(low)); ; i++ {
		s := &o[i%uint64(len(o))]
		if s.customer == customer || s.customer == uuid.Nil {
			return s
		}
	}
}

func (o ownerTable) add(customer uuid.UUID, tr tree) {
	*o.slot(customer) = ownerSlot{customer: customer, tree: tr}
}

func (o ownerTable) find(customer uuid.UUID) (tree, bool) {
	s := o.slot(customer)
	return s.tree, s.customer != uuid.Nil
}
