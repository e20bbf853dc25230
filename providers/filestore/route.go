package filestore

import (
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// routeEntry is one entry of the list of routes as the file has it.
type routeEntry struct {
	providers.Route // ID and ProviderID are Nil where the file has no id.

	at, line int // The number and the line of the entry.

	provider     string // A name or an id.
	providerLine int
}

// route reads entry i of the list of routes.
func (d *decoder) route(i int, n *yaml.Node) routeEntry {
	d.entry("routes", i)
	e := routeEntry{at: i, line: n.Line + d.shift}
	e.CustomerID, e.Weight = providers.Everyone, providers.DefaultWeight
	d.mapping("", n, routeKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "target":
			var s string
			if d.text(&s, path, v) {
				e.Target = s
				if target, err := providers.ParseTarget(s); err == nil {
					e.Target = target
				}
			}
		case "provider":
			d.text(&e.provider, path, v)
			e.providerLine = v.Line + d.shift
		case "priority":
			d.integer(&e.Priority, path, v)
		case "weight":
			d.integer(&e.Weight, path, v)
		case "customer_id":
			d.id(&e.CustomerID, path, v)
		case "id":
			d.id(&e.ID, path, v)
		case "name":
			d.text(&e.Name, path, v)
		case "detail":
			d.text(&e.Detail, path, v)
		default:
			return false
		}
		return true
	})
	if n.Kind != yaml.MappingNode {
		return e
	}
	if e.provider == "" && !slices.Contains(d.bad, "provider") {
		d.add(fieldLine(n, "provider"), "%s: is missing", d.full("provider"))
	}
	checked := e.Route
	checked.ProviderID = providers.Everyone // Looked up later, when all providers are known.
	d.validate(n, checked.Validate())
	return e
}
