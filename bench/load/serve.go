//go:build linux

package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/voipbin/dialrouter/bench/table"
)

// NumbersPerRun is how many different numbers a run dials.
const NumbersPerRun = 2000

// Event is a line that Serve writes. Exactly one field is set.
type Event struct {
	Ready   *Config `json:"ready,omitempty"`   // The sockets are open; plans may come.
	Offered bool    `json:"offered,omitempty"` // The last call of the plan has started.
	Result  *Result `json:"result,omitempty"`  // The plan is done.
	Error   string  `json:"error,omitempty"`   // The plan failed.
}

// Serve takes plans, one line of JSON each, and reports on them by events, one line of JSON each, until r ends.
// The providers answer between plans too. prefixes is the size of the routing table.
//
//	-> {"scenario":"A","rate":500,"calls":3500}
//	<- {"offered":true}
//	<- {"result":{...}}
func Serve(ctx context.Context, cfg Config, prefixes int, r io.Reader, w io.Writer) error {
	e, err := New(ctx, cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	t := table.New(prefixes)
	numbers := make(map[table.Group][]table.Number)
	for _, g := range []table.Group{table.A, table.B, table.C} {
		numbers[g] = t.Numbers(g, NumbersPerRun)
	}

	events := json.NewEncoder(w)
	opened := e.Config()
	if err := events.Encode(Event{Ready: &opened}); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	plans, readErr := readPlans(ctx, r)
	for {
		select {
		case plan, ok := <-plans:
			if !ok {
				return <-readErr
			}
			if err := e.serve(ctx, plan, numbers, events); err != nil {
				return err
			}
		default:
			if err := e.Idle(ctx, 2*time.Duration(tick)); err != nil {
				return err
			}
		}
	}
}

func (e *Engine) serve(ctx context.Context, plan Plan, numbers map[table.Group][]table.Number, events *json.Encoder) error {
	group, err := plan.Scenario.Group()
	if err != nil {
		return events.Encode(Event{Error: err.Error()})
	}
	var reportErr error
	result, err := e.Run(ctx, plan, numbers[group], func() { reportErr = events.Encode(Event{Offered: true}) })
	if err != nil {
		return errors.Join(err, events.Encode(Event{Error: err.Error()}))
	}
	return errors.Join(reportErr, events.Encode(Event{Result: &result}))
}

// readPlans reads plans until r ends or ctx does. The error, which may be nil, is there when plans is closed.
func readPlans(ctx context.Context, r io.Reader) (plans <-chan Plan, readErr <-chan error) {
	out, errs := make(chan Plan), make(chan error, 1)
	go func() {
		defer close(out)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var p Plan
			if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
				errs <- fmt.Errorf("reading a plan: %w", err)
				return
			}
			select {
			case out <- p:
			case <-ctx.Done():
				errs <- ctx.Err()
				return
			}
		}
		errs <- lines.Err()
	}()
	return out, errs
}
