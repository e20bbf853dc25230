package telnyx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// errAnswer is an answer of success that cannot be used.
var errAnswer = errors.New("the answer is not what the API documents")

// create makes something and notes its id in t.
func (c *Client) create(ctx context.Context, k kind, body any, t *Trunk) error {
	var answer made
	err := c.call(ctx, http.MethodPost, k.path(), body, &answer, t)
	if err == nil && answer.Data.ID == "" {
		err = errAnswer
	}
	if err != nil {
		if mayBeMade(err) {
			t.doubtful = k
		}
		return err
	}
	*t.id(k) = answer.Data.ID
	return nil
}

// mayBeMade says whether a request that failed may have had its effect: all but a refusal, and a connection that
// never came about.
func mayBeMade(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Status >= http.StatusInternalServerError || e.Status < http.StatusBadRequest
	}
	dial, ok := errors.AsType[*net.OpError](err)
	return !ok || dial.Op != "dial"
}

// call makes one request and reads what comes back into answer, nil for nothing. Secrets of t never are in the error.
func (c *Client) call(ctx context.Context, method, path string, body, answer any, t *Trunk) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case !success(method, resp.StatusCode):
		return newAPIError(resp.StatusCode, text, c.key, t.Password)
	case answer == nil:
		return nil
	case err != nil:
		return withoutURL(err)
	case json.Unmarshal(text, answer) != nil: // Its error would repeat parts of the text.
		return errAnswer
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func success(method string, status int) bool {
	switch method {
	case http.MethodPost:
		return status == http.StatusOK || status == http.StatusCreated
	case http.MethodDelete:
		return status == http.StatusOK || status == http.StatusNoContent
	default:
		return status == http.StatusOK
	}
}

// withoutURL takes the URL out of an error of net/http: our caller names the step, which says more.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
