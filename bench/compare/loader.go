//go:build linux

package compare

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
)

// LoadCommand is the subcommand of this program that runs load.Serve with --serve.
const LoadCommand = "load"

// loader is the load generator in a process of its own: it must not share a core with the proxy, nor its CPU time
// with us.
type loader struct {
	program *host.Program
	plans   *os.File
	events  <-chan load.Event
}

// startLoader starts the generator and waits until its sockets are open.
func (r *runner) startLoader(ctx context.Context, bare bool, log io.Writer) (*loader, error) {
	a := &r.addresses
	args := []string{
		r.self, LoadCommand, "--serve", "--prefixes", strconv.Itoa(r.options.Prefixes), "--proxy", a.Proxy.String(), "--caller", a.Caller.String(),
		"--answers", a.Answers.String(), "--busy", a.Busy.String(), "--silent", a.Silent.String(),
	}
	if r.options.Stream {
		args = append(args, "--stream")
	}
	if bare {
		args = append(args, "--bare")
	}
	stdin, plans, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the load generator: %w", err)
	}
	defer stdin.Close()
	events, stdout, err := os.Pipe()
	if err != nil {
		plans.Close()
		return nil, fmt.Errorf("starting the load generator: %w", err)
	}
	defer stdout.Close()
	program, err := host.Start(ctx, args, host.Placement{CPUs: r.options.LoadCPU, Nice: r.options.Nice}, stdin, stdout, log)
	if err != nil {
		plans.Close()
		events.Close()
		return nil, fmt.Errorf("starting the load generator: %w", err)
	}
	l := &loader{program: program, plans: plans, events: readEvents(events)}
	e, err := l.next(ctx)
	if err == nil && e.Ready == nil {
		err = errors.New("it is not ready")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the load generator: %w", err), l.stop())
	}
	return l, nil
}

// readEvents reads until the generator ends, then closes the channel.
func readEvents(f *os.File) <-chan load.Event {
	events := make(chan load.Event, 4) // More than one plan can cause: the reader never waits for a reader of its own.
	go func() {
		defer close(events)
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var e load.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = load.Event{Error: fmt.Sprintf("it said %q", lines.Text())}
			}
			events <- e
		}
	}()
	return events
}

func (l *loader) next(ctx context.Context) (load.Event, error) {
	select {
	case e, ok := <-l.events:
		if !ok {
			return e, errors.New("the load generator has ended")
		}
		if e.Error != "" {
			return e, fmt.Errorf("load generator: %s", e.Error)
		}
		return e, nil
	case <-ctx.Done():
		return load.Event{}, ctx.Err()
	}
}

// run offers the calls of a plan and waits for their end. offered is called when the last has started.
func (l *loader) run(ctx context.Context, p load.Plan, offered func()) (load.Result, error) {
	if err := json.NewEncoder(l.plans).Encode(p); err != nil {
		return load.Result{}, fmt.Errorf("telling the load generator: %w", err)
	}
	for {
		e, err := l.next(ctx)
		switch {
		case err != nil:
			return load.Result{}, err
		case e.Offered && offered != nil:
			offered()
		case e.Result != nil:
			return *e.Result, nil
		}
	}
}

// stop ends the generator.
func (l *loader) stop() error {
	l.plans.Close()
	err := l.program.Stop()
	for range l.events { // Lets the reader come to its end.
	}
	return err
}
