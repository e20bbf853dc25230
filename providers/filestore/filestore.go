// Package filestore keeps the catalog in one YAML file, which people edit by hand while the API writes to it too.
//
//	providers:
//	  - name: carrier-a             # name and hostname are required, everything else has a default
//	    hostname: 192.0.2.1:5060
//	    priority: 1                 # shorthand: a route for everyone to each of targets,
//	    targets: ["+1", "+44"]      #   or to all when only priority is given; without both, no route
//	routes:
//	  - target: "+1"
//	    provider: carrier-a         # name or id
//
// An entry without an id gets one that follows from what it is (providers.ProviderID, providers.RouteID). Reading
// names all that is wrong by line. A file that is empty is a bad edit, because a half-written file looks like that;
// `providers: []` says that there are none.
package filestore
