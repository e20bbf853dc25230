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
// Reading (parse, assemble) names all that is wrong by line. An entry without an id gets one that follows from what
// it is (providers.ProviderID, providers.RouteID). A file that is empty is a bad edit, because a half-written file
// looks like that; `providers: []` says that there are none. While the file is broken the last good catalog stays in
// force, and the API does not write.
//
// Writing (rewrite, edit) changes the text of the entries concerned and no byte of the others. What a change leaves
// out goes back to its default in its place, so that the comment behind it stays; comments above an entry stay even
// when the entry goes. An entry that gets another name, target or provider gets its id written out, so that it stays
// the same entry. Routes name their provider by name, and by id once it was deleted. A route made by shorthand becomes
// an entry of its own when it is changed; deleting a provider deletes those that its entry made.
//
// A write is upon what the file holds at that moment (update, commit): it waits for other writers by a lock file,
// takes in edits by hand first, and begins anew if one comes in its last moment. It is whole or not at all, also when
// the machine stops. What is more to know than the file can say lies beside it (place): the journal, which is the
// audit and has the times of entries and the names of deleted providers, and copies of earlier contents. Where nothing
// can be written, the file is read and watched all the same.
package filestore
