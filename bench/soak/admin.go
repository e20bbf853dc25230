//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// askWithin is how long the API may take for an answer.
const askWithin = 15 * time.Second

// ask sends a request to the API and returns the status and the body.
func (n *node) ask(ctx context.Context, method, path, body string) (code int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, n.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Close = true // No connection is left that the node would have to wait for.
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// must is ask for what has to succeed.
func (n *node) must(ctx context.Context, method, path, body string) (string, error) {
	code, answer, err := n.ask(ctx, method, path, body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, path, code, answer)
	}
	return answer, err
}

// metrics are the samples of a node: "name" or "name{labels}" with their values.
type metrics map[string]float64

// sum adds up all samples of a name.
func (m metrics) sum(name string) (sum float64) {
	for k, v := range m {
		if k == name || strings.HasPrefix(k, name+"{") {
			sum += v
		}
	}
	return sum
}

// metrics reads /metrics.
func (n *node) metrics(ctx context.Context) (metrics, error) {
	text, err := n.must(ctx, http.MethodGet, "/metrics", "")
	if err != nil {
		return nil, err
	}
	m := make(metrics)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", line, err)
		}
		m[line[:i]] = v
	}
	return m, nil
}

// revision returns the catalog's revision in force.
func (m metrics) revision() string {
	for k := range m {
		if strings.HasPrefix(k, "dialrouter_catalog_revision_info{") {
			return k
		}
	}
	return ""
}

// await asks until a condition holds.
func await(ctx context.Context, what string, within time.Duration, met func() (bool, error)) (time.Duration, error) {
	began := time.Now()
	for {
		ok, err := met()
		if ok {
			return time.Since(began), nil
		}
		if time.Since(began) > within {
			return within, errors.Join(fmt.Errorf("%s: not within %v", what, within), err)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
