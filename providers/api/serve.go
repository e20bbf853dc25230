package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// newMux makes the one place that knows paths. A path that is known but not by this method is answered with what it
// allows.
func (a *API) newMux(table []endpoint) *http.ServeMux {
	mux := http.NewServeMux()
	methods := make(map[string][]string)
	for _, e := range table {
		mux.Handle(e.method+" "+e.path, a.handler(e))
		methods[e.path] = append(methods[e.path], e.method)
		if e.method == http.MethodGet {
			methods[e.path] = append(methods[e.path], http.MethodHead)
		}
	}
	for pattern, allowed := range methods {
		if slices.ContainsFunc(table, func(e endpoint) bool { return e.path != pattern && covers(e.path, pattern) }) {
			continue // The wider pattern takes what this one does not.
		}
		slices.Sort(allowed)
		mux.Handle(pattern, a.handler(endpoint{handle: wrongMethod(strings.Join(allowed, ", "))}))
	}
	mux.Handle("/", a.handler(endpoint{handle: unknownPath}))
	return mux
}

// covers says whether a pattern with a variable at its end matches all that another one does.
func covers(pattern, other string) bool {
	dir, last := path.Split(pattern)
	otherDir, _ := path.Split(other)
	return strings.HasPrefix(last, "{") && dir == otherDir
}

func wrongMethod(allow string) func(*exchange) (any, error) {
	return func(*exchange) (any, error) {
		return nil, &fault{
			code: http.StatusMethodNotAllowed, status: statusNotFound, reason: "METHOD_NOT_ALLOWED",
			message: "This path takes " + allow + ".", allow: allow,
		}
	}
}

func unknownPath(*exchange) (any, error) {
	return nil, &fault{
		code: http.StatusNotFound, status: statusNotFound, reason: "ENDPOINT_NOT_FOUND",
		message: "There is nothing at this path; GET /v1.0/openapi.json says what there is.",
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect a path that is not in its shortest form; here that is just another path. A Call-ID may hold
	// any number of slashes, but they come escaped.
	if p := r.URL.EscapedPath(); !strings.HasPrefix(p, "/") || p != path.Clean(p) {
		a.handler(endpoint{handle: unknownPath}).ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// handler puts around an endpoint what all of them need.
func (a *API) handler(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{w: w, r: r, id: requestID(r)}
		h := w.Header()
		h.Set(requestIDHeader, x.id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		start := a.now()
		v, err := a.run(e, x)
		if err == nil {
			err = x.answer(v)
		}
		code := http.StatusOK
		var f *fault
		if err != nil {
			f = faultOf(err)
			code = f.code
			x.refuse(f)
		}
		a.note(x, code, f, a.now().Sub(start))
	})
}

// run finds out who asks, and does it. A panic is an error like any other.
func (a *API) run(e endpoint, x *exchange) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := a.origins.Check(x.r); err != nil {
		return nil, &fault{
			code: http.StatusForbidden, status: statusPermissionDenied, reason: "CROSS_ORIGIN_REFUSED",
			message: "A browser sends this for another site, which may not change anything here.",
		}
	}
	if e.open {
		return e.handle(x)
	}
	if x.who, err = a.identify(x.r); err != nil {
		return nil, err
	}
	if e.write && !x.who.mayWrite() {
		return nil, &fault{
			code: http.StatusForbidden, status: statusPermissionDenied, reason: "PERMISSION_DENIED",
			message: "This needs the permission " + string(ProjectSuperAdmin) + ".",
		}
	}
	return e.handle(x)
}

// note logs an exchange: what was to change something and what went wrong here always, what was only read when that
// is asked for.
func (a *API) note(x *exchange, code int, f *fault, took time.Duration) {
	level := slog.LevelInfo
	if x.r.Method == http.MethodGet || x.r.Method == http.MethodHead {
		level = slog.LevelDebug
	}
	if code >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	ctx := context.WithoutCancel(x.r.Context())
	if !a.log.Enabled(ctx, level) {
		return
	}
	attrs := append(x.attrs(), slog.Int("status", code), slog.Duration("took", took))
	if f != nil {
		attrs = append(attrs, slog.String("reason", f.reason))
		if f.cause != nil {
			attrs = append(attrs, slog.Any("error", f.cause))
		}
	}
	a.log.LogAttrs(ctx, level, "api request", attrs...)
}
