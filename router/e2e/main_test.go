// Package e2e drives the router from outside: scripted callers and providers on loopback sockets, which see every
// byte and every retransmission because they have no transaction layer of their own.
//
// A test reads like a ladder diagram:
//
//	a := n.caller(t)                       A          router          B
//	a.send(a.invite("+1555"))              |--INVITE-->|               |
//	inv := b.expect(t, request("INVITE"))  |           |---INVITE----->|
//	b.answer(reply(inv, 486))              |           |<-----486------|
//	a.expect(t, status(486))               |<--486-----|               |
//
// The test's name holds the row of the conformance table that it shows, where there is one.
package e2e

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// waiting is how many tests run at the same time: they wait far more than they compute.
const waiting = "24"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", waiting); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(builtDir)
		os.Exit(code)
	}))
}
