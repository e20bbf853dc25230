package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

const (
	// maxBody bounds a request's body, in bytes.
	maxBody = 1 << 20

	requestIDHeader = "X-Request-Id"
	maxRequestID    = 64
)

// exchange is one request and its answer.
type exchange struct {
	w   http.ResponseWriter
	r   *http.Request
	id  string // Of the request.
	who identity
}

// requestID returns the request's own id when it is one that may stand in a log, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > maxRequestID {
		return "req_" + rand.Text()
	}
	for _, c := range []byte(id) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '_' && c != '-' {
				return "req_" + rand.Text()
			}
		}
	}
	return id
}

// actor is who a change is noted for.
func (x *exchange) actor() providers.Actor {
	return providers.Actor{Name: x.who.name, Remote: x.r.RemoteAddr, RequestID: x.id}
}

// pathID reads the id in the path.
func (x *exchange) pathID() (uuid.UUID, error) {
	id, ok := parseID(x.r.PathValue("id"))
	if !ok {
		return uuid.Nil, invalidID()
	}
	return id, nil
}

// body reads the whole body.
func (x *exchange) body() ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &fault{
			code: http.StatusRequestEntityTooLarge, status: statusInvalidArgument, reason: "REQUEST_TOO_LARGE",
			message: "The body is larger than 1 MiB.",
		}
	}
	if err != nil {
		return nil, invalidBody("The body could not be read.")
	}
	return data, nil
}

// object reads the body as a JSON object.
func (x *exchange) object() (*object, error) {
	data, err := x.body()
	if err != nil {
		return nil, err
	}
	return parseObject(data)
}

// answer writes a success.
func (x *exchange) answer(v any) error {
	if text, ok := v.(json.RawMessage); ok {
		x.write(http.StatusOK, text)
		return nil
	}
	text, err := encode(v)
	if err != nil {
		return err
	}
	x.write(http.StatusOK, text)
	return nil
}

// encode writes JSON for machines: <, > and & are no harm to them.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func (x *exchange) write(code int, text []byte) {
	h := x.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	x.w.WriteHeader(code)
	_, _ = x.w.Write(text) // The client may be gone.
}

// errorBody is what a client gets of a fault.
type errorBody struct {
	Error errorFields `json:"error"`
}

type errorFields struct {
	Status    string   `json:"status"`
	Reason    string   `json:"reason"`
	Message   string   `json:"message"`
	RequestID string   `json:"request_id"`
	Details   []detail `json:"details"`
}

// refuse writes a fault.
func (x *exchange) refuse(f *fault) {
	h := x.w.Header()
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retry))
	}
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	if f.code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	h.Del("ETag")
	details := f.details
	if details == nil {
		details = []detail{}
	}
	text, _ := encode(errorBody{errorFields{f.status, f.reason, f.message, x.id, details}}) // Strings and numbers: no error.
	x.write(f.code, text)
}

// attrs are what the log says of every exchange. The query is not among them: it may hold a token.
func (x *exchange) attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("request_id", x.id), slog.String("method", x.r.Method), slog.String("path", x.r.URL.Path),
		slog.String("remote", x.r.RemoteAddr), slog.String("actor", x.who.name),
	}
}
