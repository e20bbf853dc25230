package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"
)

// envImportToken is the token for the API that is imported from; it may stand in the URL's query too.
const envImportToken = "DIALROUTER_IMPORT_TOKEN"

// Bounds of an import by URL.
const (
	fetchTimeout  = 30 * time.Second // For each page.
	maxFetchPage  = 16 << 20         // Bytes.
	maxFetchPages = 10_000
)

func isURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// fetcher reads lists from an API. What it says of a failure never holds the query, which may hold a token.
type fetcher struct {
	base  *url.URL
	token string
	http  *http.Client
}

// fetchAll reads the providers and the routes of an API such as https://api.example/v1.0, or the one list that the URL
// names.
func fetchAll(env environment, source string, all *imported) error {
	base, err := url.Parse(source)
	if err != nil || base.Hostname() == "" {
		return errors.New("the URL cannot be read") // Its error would repeat it.
	}
	token, _ := env.lookup(envImportToken)
	if base.Scheme == "http" && !isLoopbackHost(base.Hostname()) && (token != "" || base.RawQuery != "") {
		return fmt.Errorf("%s: it is http, which would show the token to everyone on the way; write https", base.Host)
	}
	f := &fetcher{base: base, token: token, http: &http.Client{
		Timeout: fetchTimeout,
		// A token must not follow a redirect to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer f.http.CloseIdleConnections()
	switch path.Base(base.Path) {
	case "providers", "routes":
		return f.list(base.Path, all)
	}
	for _, list := range []string{"providers", "routes"} {
		if err := f.list(path.Join("/", base.Path, list), all); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list to its end: an empty page, or one without a token.
func (f *fetcher) list(at string, all *imported) error {
	seen := make(map[string]bool)
	token := ""
	for range maxFetchPages {
		next, n, err := f.page(at, token, all)
		if err != nil {
			return fmt.Errorf("%s%s: %w", f.base.Host, at, err)
		}
		if n == 0 || next == "" || seen[next] {
			return nil
		}
		seen[next], token = true, next
	}
	return fmt.Errorf("%s%s: more than %d pages", f.base.Host, at, maxFetchPages)
}

// page reads one page and returns the token of the next, and how many entries there were.
func (f *fetcher) page(at, token string, all *imported) (next string, n int, err error) {
	u := *f.base
	u.Path, u.RawPath = at, ""
	query := u.Query()
	query.Set("page_size", "100")
	if token != "" {
		query.Set("page_token", token)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", 0, errors.New("the URL cannot be read")
	}
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := f.http.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("it answers %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFetchPage+1))
	if err != nil {
		return "", 0, err
	}
	if len(text) > maxFetchPage {
		return "", 0, fmt.Errorf("a page is larger than %d bytes", maxFetchPage)
	}
	var answer struct {
		Result        json.RawMessage `json:"result"`
		NextPageToken string          `json:"next_page_token"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Result == nil {
		return "", 0, errors.New("it answers something that is no list")
	}
	if string(answer.Result) == "null" {
		return "", 0, nil
	}
	n, err = all.take(answer.Result)
	return answer.NextPageToken, n, err
}

func isLoopbackHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
