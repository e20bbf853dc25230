package filestore

import (
	"bytes"
	"sync"
)

// text is the content of the file at one time. It is kept because the API's next write is upon it nearly always: then
// neither what it is nor where its entries stand has to be found out while somebody waits.
type text struct {
	data []byte

	once      sync.Once
	found     layout
	hasLayout bool
}

// is says whether the content is data. Nil is no content, not even an empty one.
func (t *text) is(data []byte) bool { return t != nil && bytes.Equal(t.data, data) }

// layout returns the layout of a file that is known to be good, and whether it has one.
func (t *text) layout() (layout, bool) {
	t.once.Do(func() { t.found, t.hasLayout = findLayout(t.data) })
	return t.found, t.hasLayout
}

// prepare finds the layout in advance.
func (t *text) prepare() {
	if t != nil {
		t.layout()
	}
}
