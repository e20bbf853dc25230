package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// sayUnreached names the providers that get no call because no socket of ours can send to them: at their entries, or at
// sip.listen when they are in a database. The others carry calls all the same, so these are warnings.
func sayUnreached(env environment, cfg *config.Config, cat *providers.Catalog) {
	var lines map[uuid.UUID]int
	for i := range cat.Providers {
		p := &cat.Providers[i]
		why := dialrouter.Unreached(cfg, p)
		if why == "" || !p.Enabled {
			continue
		}
		text := fmt.Sprintf("provider %q gets no calls: %s", p.Name, why)
		if cfg.Catalog.File == "" {
			fmt.Fprintln(env.stdout, cfg.Problem("sip.listen", "warning: "+text))
			continue
		}
		if lines == nil {
			lines = filestore.Lines(cfg.Catalog.File)
		}
		fmt.Fprintln(env.stdout, providers.Problem{File: cfg.Catalog.File, Line: max(lines[p.ID], 1), Message: text, Warning: true})
	}
}
