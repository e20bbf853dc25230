package filestore

import (
	"os"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Lines tells on which line of the file at path each provider's entry begins, from 1. A file that cannot be read has
// none.
func Lines(path string) map[uuid.UUID]int {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	all, _ := parse(path, data)
	lines := make(map[uuid.UUID]int, len(all.providers))
	for i := range all.providers {
		e := &all.providers[i]
		id := e.ID
		if id == uuid.Nil {
			id = providers.ProviderID(e.Name)
		}
		lines[id] = e.line
	}
	return lines
}
