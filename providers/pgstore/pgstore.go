// Package pgstore keeps the catalog in PostgreSQL, for several routers that share it.
//
//	revisions  n | revision | made | actor ...      one row for each change
//	audit      n | i | kind | verb | before, after   what the change did, secrets masked
//	providers  id | since | until | deleted | body   one row for each state that an entry had, as far back as
//	routes     id | since | until | deleted | body     keepRevisions; until is null: in force
//	head       n | revision                          the newest; its row lock makes writers wait for each other
//
// A change is one transaction (write): it locks the head, so it is upon the newest revision, closes the rows of what
// it changes, and adds new ones together with its revision and its audit. The catalog at revision n is what has
// since <= n < until: that is how an earlier one comes back (Restore), and how a router that knows revision m reads
// only what came since (readSince).
//
// A write notifies the channel "dialrouter" (listen); a poll makes up for notices that are lost (watch). Both only ask
// for a look at the head. Entries are in the order of (tm_create, id), which is the same on all routers, and times are
// those of the database's clock.
//
// While the database is away, the catalog is that of memory, or, after a restart, that of the snapshot file. Whoever
// talks to the database does it for a bounded time, so one that accepts and never answers is away as well. The
// connection that reads and writes is guarded by the store's turn, the one that listens belongs to its goroutine, and
// the audit is read over one of its own.
//
// The tables are the routers' own: what is written to them by hand is noticed by the next change or restart only.
package pgstore
