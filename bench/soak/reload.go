//go:build linux

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

const (
	reloads        = 20 // Half by the file, half by the API.
	brokenReloads  = 5
	inForceWithin  = 5 * time.Second
	reloadFailures = "dialrouter_catalog_reload_failures_total"
)

// reloader changes a node's catalog.
type reloader struct {
	n        *node
	path     string // Of the catalog.
	provider string // The id of one that every change changes.
	slowest  time.Duration
}

// runReload changes routes and a provider under load: each change is in force, each broken catalog is counted once and
// changes nothing, and no call is lost.
func runReload(ctx context.Context, b *bench) (err error) {
	c, n, err := b.carried(ctx, parties(), settings{}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	d := &reloader{n: n, path: filepath.Join(n.dir, "providers.yaml")}
	if d.provider, err = n.providerID(ctx, "p01"); err != nil {
		return err
	}
	before, err := n.metrics(ctx)
	if err != nil {
		return err
	}
	every := long(b, 2*time.Second, 250*time.Millisecond)
	calls, err := c.begin(ctx, load.Plan{
		Scenario: load.A, Rate: rate, Calls: atRate(every * (reloads + brokenReloads + 1)),
		Ring: 200 * time.Millisecond, Hold: 300 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	good, refused := 0, 0
	for i := range reloads + brokenReloads {
		if err := pause(ctx, every); err != nil {
			return err
		}
		switch {
		case i%5 == 4:
			err = d.breakFile(ctx, refused)
			refused++
		case i%2 == 0:
			err = d.byFile(ctx, i)
			good++
		default:
			err = d.byAPI(ctx, i)
			good++
		}
		if err != nil {
			return fmt.Errorf("reload %d: %w", i, err)
		}
	}
	r, err := calls.end()
	if err != nil {
		return err
	}
	after, err := n.metrics(ctx)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d reloads and %d broken ones at %d calls/s, %d calls", good, refused, rate, r.Calls)
	b.lost(what, r)
	b.note(true, "messages sent again", strconv.Itoa(r.Retransmits()), "-")
	b.equal("broken catalogs counted", int(after.sum(reloadFailures)-before.sum(reloadFailures)), brokenReloads)
	b.note(d.slowest < inForceWithin, "slowest change until it was in force", d.slowest.Round(time.Millisecond).String(), "-")
	return nil
}

// changed does something that must bring a new revision, and waits for it.
func (d *reloader) changed(ctx context.Context, change func() error) error {
	m, err := d.n.metrics(ctx)
	if err != nil {
		return err
	}
	old := m.revision()
	began := time.Now()
	if err := change(); err != nil {
		return err
	}
	_, err = await(ctx, "a new revision", inForceWithin, func() (bool, error) {
		m, err := d.n.metrics(ctx)
		return err == nil && m.revision() != old, err
	})
	d.slowest = max(d.slowest, time.Since(began))
	return err
}

// byFile changes a provider and adds a route, as an editor does.
func (d *reloader) byFile(ctx context.Context, i int) error {
	return d.changed(ctx, func() error {
		text, err := os.ReadFile(d.path)
		if err != nil {
			return err
		}
		next := strings.Replace(string(text), "tech_headers: {", fmt.Sprintf("tech_headers: {X-Edit-%d: yes, ", i), 1)
		if next == string(text) {
			next = strings.Replace(string(text), "tech_headers:\n", fmt.Sprintf("tech_headers:\n      X-Edit-%d: \"yes\"\n", i), 1)
		}
		return replace(d.path, next+fmt.Sprintf("  - {target: \"+99%d\", provider: p02, priority: 1}\n", i))
	})
}

// byAPI changes the same provider and adds a route.
func (d *reloader) byAPI(ctx context.Context, i int) error {
	if err := d.changed(ctx, func() error {
		text, err := d.n.must(ctx, http.MethodGet, "/v1.0/providers/"+d.provider, "")
		if err != nil {
			return err
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return err
		}
		p["detail"] = fmt.Sprintf("edit %d", i)
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = d.n.must(ctx, http.MethodPut, "/v1.0/providers/"+d.provider, string(body))
		return err
	}); err != nil {
		return err
	}
	return d.changed(ctx, func() error {
		_, err := d.n.must(ctx, http.MethodPost, "/v1.0/routes", fmt.Sprintf(`{"provider_id":%q,"target":"+98%d","priority":1}`, d.provider, i))
		return err
	})
}

// breakFile puts a catalog there that cannot be put in force, each time for another reason, sees that it is told, and
// mends it.
func (d *reloader) breakFile(ctx context.Context, i int) error {
	text, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	broken := [brokenReloads]string{
		"", // As a file looks that is being written.
		string(text[:len(text)/2]) + "\n  - {",
		strings.Replace(string(text), "provider: p02", "provider: nobody", 1),
		strings.Replace(string(text), "codecs:", "codec:", 1),
		"providers: [{name: x}]\n",
	}
	before, err := d.n.metrics(ctx)
	if err != nil {
		return err
	}
	if err := replace(d.path, broken[i]); err != nil {
		return err
	}
	if _, err := await(ctx, "a warning", inForceWithin, func() (bool, error) {
		_, answer, err := d.n.ask(ctx, http.MethodGet, "/readyz", "")
		return strings.Contains(answer, "the old catalog stays in force"), err
	}); err != nil {
		return err
	}
	during, err := d.n.metrics(ctx)
	if err != nil {
		return err
	}
	if during.revision() != before.revision() {
		return errors.New("a broken catalog changed the revision in force")
	}
	if err := replace(d.path, string(text)); err != nil {
		return err
	}
	_, err = await(ctx, "no warning", inForceWithin, func() (bool, error) {
		_, answer, err := d.n.ask(ctx, http.MethodGet, "/readyz", "")
		return answer == "ready\n", err
	})
	return err
}

// replace writes a file aside and puts it in place whole.
func replace(path, text string) error {
	aside := path + ".new"
	if err := os.WriteFile(aside, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

// providerID finds a provider by its name.
func (n *node) providerID(ctx context.Context, name string) (string, error) {
	text, err := n.must(ctx, http.MethodGet, "/v1.0/providers", "")
	if err != nil {
		return "", err
	}
	var list struct {
		Result []struct{ ID, Name string }
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return "", err
	}
	for _, p := range list.Result {
		if p.Name == name {
			return p.ID, nil
		}
	}
	return "", fmt.Errorf("there is no provider %q", name)
}
