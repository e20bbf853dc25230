package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// The values of an error's status, which are VoIPBIN's.
const (
	statusInvalidArgument    = "INVALID_ARGUMENT"
	statusUnauthenticated    = "UNAUTHENTICATED"
	statusPermissionDenied   = "PERMISSION_DENIED"
	statusNotFound           = "NOT_FOUND"
	statusFailedPrecondition = "FAILED_PRECONDITION"
	statusResourceExhausted  = "RESOURCE_EXHAUSTED"
	statusInternal           = "INTERNAL"
	statusUnavailable        = "UNAVAILABLE"
)

// maxDetails is how much of what is wrong is listed: a body has fewer fields.
const maxDetails = 40

// fault is an error that is answered as it stands. The cause is for the log.
type fault struct {
	code    int // Of HTTP.
	status  string
	reason  string
	message string
	details []detail
	retry   int // Seconds after which it may go better; 0 says nothing.
	allow   string
	cause   error
}

// detail is one thing that is wrong. Only Message is always there.
type detail struct {
	Field    string `json:"field,omitempty"`    // Of the body, or the parameter.
	Resource string `json:"resource,omitempty"` // Kind of a thing that was left at a carrier.
	ID       string `json:"id,omitempty"`       // Of that thing.
	Line     int    `json:"line,omitempty"`     // Of the catalog's file.
	Message  string `json:"message"`
}

// Error returns reason, message and cause.
func (f *fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%s: %s: %v", f.reason, f.message, f.cause)
	}
	return f.reason + ": " + f.message
}

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.cause }

func invalidBody(message string) *fault {
	return &fault{code: http.StatusBadRequest, status: statusInvalidArgument, reason: "INVALID_JSON_BODY", message: message}
}

func invalidParameter(field, message string) *fault {
	return &fault{
		code: http.StatusBadRequest, status: statusInvalidArgument, reason: "INVALID_REQUEST_PARAMETER",
		message: "The parameter " + field + " " + message + ".", details: []detail{{Field: field, Message: message}},
	}
}

func invalidField(field, message string) *fault {
	return invalidFields(providers.FieldErrors{{Field: field, Rule: message}})
}

// invalidFields answers what is wrong with a body's fields. Codecs have a reason of their own.
func invalidFields(errs providers.FieldErrors) *fault {
	f := &fault{
		code: http.StatusBadRequest, status: statusInvalidArgument, reason: "INVALID_CODECS", message: errs[0].Error(),
	}
	if more := len(errs) - 1; more > 0 {
		f.message += fmt.Sprintf(" (and %d more)", more)
	}
	for i, e := range errs {
		if i == maxDetails {
			break
		}
		if e.Field != "codecs" || e.Value == "" { // A list that is none, not a field that is out of place.
			f.reason = "INVALID_ARGUMENT"
		}
		message := e.Rule
		if e.Value != "" {
			message = fmt.Sprintf("%q %s", e.Value, e.Rule)
		}
		f.details = append(f.details, detail{Field: e.Field, Message: message})
	}
	return f
}

func invalidID() *fault {
	return &fault{
		code: http.StatusBadRequest, status: statusInvalidArgument, reason: "INVALID_ID",
		message: "The id in the path is not a UUID.",
	}
}

func notFound(kind providers.Kind, id uuid.UUID) *fault {
	f := &fault{code: http.StatusNotFound, status: statusNotFound, reason: "ROUTE_NOT_FOUND"}
	if kind == providers.KindProvider {
		f.reason = "PROVIDER_NOT_FOUND"
	}
	f.message = fmt.Sprintf("There is no %s %s.", kind, id)
	return f
}

// faultOf makes an answer of any error. What it does not know is an internal error, whose text stays in the log.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if errs, ok := errors.AsType[providers.FieldErrors](err); ok && len(errs) > 0 {
		return invalidFields(errs)
	}
	f := &fault{
		code: http.StatusConflict, status: statusFailedPrecondition, cause: err,
	}
	switch {
	case errors.Is(err, providers.ErrConflict):
		// Only names can clash: ids are made here.
		message := strings.TrimSuffix(err.Error(), ": "+providers.ErrConflict.Error())
		f.reason, f.message = "ALREADY_EXISTS", message
		f.details = []detail{{Field: "name", Message: message}}
	case errors.Is(err, providers.ErrInvalid):
		f.reason, f.message = "CATALOG_INVALID", "The catalog was edited by hand and is broken; mend it first."
		f.details = problems(err)
	case errors.Is(err, providers.ErrReadOnly):
		f.reason, f.message = "CATALOG_READ_ONLY", "The router may not write the catalog."
	case errors.Is(err, providers.ErrUnavailable):
		f.code, f.status, f.reason, f.retry = http.StatusServiceUnavailable, statusUnavailable, "CATALOG_UNAVAILABLE", 1
		f.message = "The catalog cannot be written just now. Calls go on with the last one."
	default:
		f.code, f.status, f.reason = http.StatusInternalServerError, statusInternal, "INTERNAL"
		f.message = "Something went wrong here; the log has more under the request id."
	}
	return f
}

// problems lists what is wrong with the catalog's file.
func problems(err error) []detail {
	var all []detail
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // It walks the tree itself, to find each and not only the first.
		case providers.Problem:
			all = append(all, detail{Line: e.Line, Message: e.Message})
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				walk(one)
			}
		}
	}
	walk(err)
	return all[:min(len(all), maxDetails)]
}
