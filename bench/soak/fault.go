//go:build linux

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// healWithin is how soon a change must be in force after a fault has ended, with nobody's help.
const healWithin = 5 * time.Second

// fault is what befalls a store.
type fault struct {
	what   string
	during func(context.Context, time.Duration) error // Begins it, and waits.
	end    func() error
}

// through lets a fault come and go while calls are carried and changes are asked for.
func (b *bench) through(ctx context.Context, c *callers, w *writer, f fault) error {
	lasts := long(b, 20*time.Second, 2500*time.Millisecond)
	calls, err := c.begin(ctx, load.Plan{Scenario: load.A, Rate: rate, Calls: atRate(lasts + 4*time.Second), Ring: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := w.write(ctx); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	asked, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	written, refused := 0, 0
	writing.Go(func() {
		for pause(asked, 100*time.Millisecond) == nil {
			switch err := w.write(asked); {
			case err == nil:
				written++
			case asked.Err() == nil:
				refused++
			}
		}
	})
	err = f.during(ctx, lasts)
	cancel()
	writing.Wait()
	if err = errors.Join(err, f.end()); err != nil {
		return err
	}
	healed, err := await(ctx, "a change that is in force", 2*healWithin, func() (bool, error) {
		err := w.write(ctx)
		return err == nil, err
	})
	if err == nil {
		var told time.Duration
		told, err = await(ctx, "no warning", 2*healWithin, func() (bool, error) {
			_, answer, err := w.n.ask(ctx, http.MethodGet, "/readyz", "")
			return answer == "ready\n", err
		})
		healed += told
	}
	r, rerr := calls.end()
	if err = errors.Join(err, rerr); err != nil {
		return err
	}
	b.lost(fmt.Sprintf("%s for %v at %d calls/s (changes meanwhile: %d made, %d refused), %d calls", f.what, lasts, rate, written, refused, r.Calls), r)
	b.note(healed < healWithin, f.what+": well again after", healed.Round(10*time.Millisecond).String(), fmt.Sprintf("< %v", healWithin))
	return nil
}

// writer changes a catalog by the API.
type writer struct {
	n  *node
	id string
	no int
}

// write makes a change and sees that calls are routed by it.
func (w *writer) write(ctx context.Context) error {
	text, err := w.n.must(ctx, http.MethodGet, "/v1.0/providers/"+w.id, "")
	if err != nil {
		return err
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	w.no++
	p["tech_headers"] = map[string]string{"X-Account": table.Account, "X-Trace-Id": table.Trace, "X-Edit": strconv.Itoa(w.no)}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := w.n.must(ctx, http.MethodPut, "/v1.0/providers/"+w.id, string(body)); err != nil {
		return err
	}
	plan, err := w.n.must(ctx, http.MethodPost, "/v1.0/plan", `{"number":"`+oneNumber+`","sdp":""}`)
	if err != nil {
		return err
	}
	var made struct {
		Attempts []struct{ Headers map[string]string }
	}
	if err := json.Unmarshal([]byte(plan), &made); err != nil {
		return err
	}
	if len(made.Attempts) == 0 || made.Attempts[0].Headers["X-Edit"] != strconv.Itoa(w.no) {
		return fmt.Errorf("change %d was accepted and is not in force: %s", w.no, plan)
	}
	return nil
}

// oneNumber is the number of all calls where the catalog has but two providers.
const oneNumber = "15551234567"

// seed makes the two providers of oneNumber by the API, and has the callers dial nothing else.
func (n *node) seed(ctx context.Context, c *callers) (*writer, error) {
	t := table.New(table.MinPrefixes)
	route, _ := t.Match(oneNumber)
	w := &writer{n: n}
	for i, which := range []int{route.First, route.Second} {
		p := t.Providers[which]
		body, err := json.Marshal(map[string]any{
			"type": "sip", "name": p.Name, "hostname": c.Config().Hosts().Of(p.Kind).String(), "tech_prefix": p.TechPrefix, "transport": "udp",
			"tech_headers": map[string]string{"X-Account": table.Account, "X-Trace-Id": table.Trace}, "codecs": "PCMU,PCMA",
		})
		if err != nil {
			return nil, err
		}
		text, err := n.must(ctx, http.MethodPost, "/v1.0/providers", string(body))
		if err != nil {
			return nil, err
		}
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(text), &made); err != nil {
			return nil, err
		}
		if i == 0 {
			w.id = made.ID
		}
		if _, err := n.must(ctx, http.MethodPost, "/v1.0/routes", fmt.Sprintf(`{"provider_id":%q,"target":"+%s","priority":%d}`, made.ID, oneNumber, i+1)); err != nil {
			return nil, err
		}
	}
	c.only(oneNumber)
	return w, nil
}
