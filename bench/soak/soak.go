//go:build linux

// Package soak shows what the router survives: it starts the real program, breaks things around it while calls are on
// their way, and counts what is lost.
//
//	reload    the catalog changes 20 times under load, and is broken 5 times
//	drain     SIGTERM while calls ring
//	restart   kill -9 while calls are up; a second node takes over
//	loss      datagrams are lost, come twice, come in another order
//	store     the database is killed, hangs, is slow; the disk is full
//	leak      many calls with all that callers and providers do wrong: what is left of them
//	held      calls that are up, and the memory that they take
//
// Each item gives figures with what they must be. Everything is on free ports of loopback addresses, so that items may
// run side by side.
package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
)

// Figure is one thing that was measured.
type Figure struct {
	Item   string `json:"item"`
	What   string `json:"what"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Failed bool   `json:"failed"`
}

// Options say what to run and how.
type Options struct {
	Binary string   // The dialrouter under test.
	Self   []string // The command that runs Serve: a router with short timers, for the short form of leak.
	Short  bool     // Seconds in place of minutes.
	Log    io.Writer
}

// errSkipped is the error of an item for which this machine or user lacks something.
var errSkipped = errors.New("left out")

// item is a kind of trouble.
type item struct {
	name string
	run  func(ctx context.Context, b *bench) error
}

func items() []item {
	return []item{
		{"reload", runReload},
		{"drain", runDrain},
		{"restart", runRestart},
		{"loss", runLoss},
		{"store", runStore},
		{"disk", runDisk},
		{"held", runHeld},
		{"leak", runLeak},
	}
}

// Names returns the items in the order in which they are run.
func Names() []string {
	var names []string
	for _, i := range items() {
		names = append(names, i.name)
	}
	return names
}

// Run runs one item. An item that this machine does not allow has a figure that says so, and has not failed.
func Run(ctx context.Context, name string, o Options) ([]Figure, error) {
	all := items()
	i := slices.IndexFunc(all, func(i item) bool { return i.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no item %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	dir, err := os.MkdirTemp("", "soak-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", name, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{Options: o, item: name, dir: dir}
	if b.Log == nil {
		b.Log = io.Discard
	}
	err = all[i].run(ctx, b)
	if errors.Is(err, errSkipped) {
		b.figures = append(b.figures, Figure{Item: name, What: err.Error(), Got: "-", Want: "-"})
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("running %s: %w", name, err)
	}
	return b.figures, err
}

// Print writes figures as a table.
func Print(w io.Writer, figures []Figure) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "item\twhat\tgot\twant\t")
	for _, f := range figures {
		verdict := ""
		if f.Failed {
			verdict = "NOT REACHED"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Item, f.What, f.Got, f.Want, verdict)
	}
	_ = t.Flush() // A writer that fails has said so.
}

// bench is one item as it runs.
type bench struct {
	Options
	item    string
	dir     string
	figures []Figure
	nodes   atomic.Int64
}

// note keeps a figure.
func (b *bench) note(ok bool, what, got, want string) {
	b.figures = append(b.figures, Figure{Item: b.item, What: what, Got: got, Want: want, Failed: !ok})
}

// equal keeps a number that must have a value.
func (b *bench) equal(what string, got, want int) {
	b.note(got == want, what, strconv.Itoa(got), strconv.Itoa(want))
}

// long chooses between the value of the long form and that of the short one.
func long[T any](b *bench, long, short T) T {
	if b.Short {
		return short
	}
	return long
}
