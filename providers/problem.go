package providers

import (
	"errors"
	"fmt"
)

// Problem is one thing that is wrong, or doubtful, in a file of providers and routes.
type Problem struct {
	File    string
	Line    int // From 1.
	Message string
	Warning bool // The file is in force all the same.
}

// String returns FILE:LINE: message.
func (p Problem) String() string {
	if p.Warning {
		return fmt.Sprintf("%s:%d: warning: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Error returns FILE:LINE: message.
func (p Problem) Error() string { return p.String() }

// Join makes one error of the problems that are no warnings, nil when there are none. errors.AsType[Problem] finds
// the first of them; the text has a line for each.
func Join(problems []Problem) error {
	var errs []error
	for _, p := range problems {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}
