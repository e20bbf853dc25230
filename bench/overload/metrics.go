//go:build linux

package overload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// dropped returns the proxy's counts of what it dropped, where they are not zero: "pressure 123".
func dropped(ctx context.Context) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	defer resp.Body.Close()
	var found []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), `dialrouter_messages_dropped_total{reason="`)
		if !ok {
			continue
		}
		reason, value, _ := strings.Cut(rest, `"} `)
		if value != "0" {
			found = append(found, reason+" "+value)
		}
	}
	return found, lines.Err()
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
