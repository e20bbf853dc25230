//go:build race

package router

// underRace says that the race detector watches, which makes everything ten times slower.
const underRace = true
