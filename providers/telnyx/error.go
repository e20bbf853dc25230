package telnyx

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// ErrKeyRejected is what a 401 and a 403 mean: the key is wrong, or may not do this.
var ErrKeyRejected = errors.New("the carrier rejects the API key")

// APIError is an answer that is no success. Its text holds nothing that Telnyx wrote but the numbers of its errors.
type APIError struct {
	Status   int
	Problems []Problem
}

// Problem is one of Telnyx's errors. Its texts are for whoever made the request, with our secrets taken out.
type Problem struct {
	Code, Title, Detail string
	Pointer             string // To the field that it is about.
}

// Bounds of what is kept of an answer.
const (
	maxProblems = 8
	maxText     = 2000 // Bytes; the codes of all countries are 1,000.
)

func newAPIError(status int, text []byte, secrets ...string) *APIError {
	var body struct {
		Errors []struct {
			Code   json.RawMessage `json:"code"` // A string; a number in older answers.
			Title  string          `json:"title"`
			Detail string          `json:"detail"`
			Source struct {
				Pointer string `json:"pointer"`
			} `json:"source"`
		} `json:"errors"`
	}
	e := &APIError{Status: status}
	if json.Unmarshal(text, &body) != nil {
		return e
	}
	for _, one := range body.Errors[:min(len(body.Errors), maxProblems)] {
		e.Problems = append(e.Problems, Problem{
			Code:    digits(string(one.Code)),
			Title:   clean(one.Title, secrets),
			Detail:  clean(one.Detail, secrets),
			Pointer: clean(one.Source.Pointer, secrets),
		})
	}
	return e
}

// Error returns the status and the numbers of the errors.
func (e *APIError) Error() string {
	var codes []string
	for _, p := range e.Problems {
		if p.Code != "" {
			codes = append(codes, p.Code)
		}
	}
	if len(codes) == 0 {
		return fmt.Sprintf("the carrier answers %d", e.Status)
	}
	return fmt.Sprintf("the carrier answers %d (error %s)", e.Status, strings.Join(codes, ", "))
}

// Is makes 401 and 403 ErrKeyRejected.
func (e *APIError) Is(target error) bool {
	return target == ErrKeyRejected && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// isGone says whether there was nothing to remove.
func isGone(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status == http.StatusNotFound
}

// countries returns those of all that the carrier refuses.
func (e *APIError) countries(all []string) []string {
	wanted := make(map[string]bool, len(all))
	for _, country := range all {
		wanted[country] = true
	}
	var refused []string
	for _, p := range e.Problems {
		_, list, found := strings.Cut(p.Detail, "countries")
		if !found {
			if !strings.Contains(p.Pointer, "whitelisted_destinations") {
				continue
			}
			list = p.Detail
		}
		for _, word := range strings.FieldsFunc(list, func(r rune) bool { return !unicode.IsLetter(r) }) {
			if wanted[word] {
				refused = append(refused, word)
			}
		}
	}
	return refused
}

// digits returns the number that a code is.
func digits(code string) string {
	code = strings.Trim(code, `"`)
	if len(code) > 8 || strings.Trim(code, "0123456789") != "" {
		return ""
	}
	return code
}

// clean makes one line of a text, bounds it, and takes the secrets out of it.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "********")
		}
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s[:min(len(s), maxText)])
}
