package telnyx

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const testKey = "KEY0123456789_secretsecret"

// fake is Telnyx as its API reference documents it, as far as a trunk needs it.
type fake struct {
	url string

	mu      sync.Mutex
	calls   []string          // "POST /fqdns"
	things  map[string]string // Kind and id, and its parent.
	bodies  map[string]map[string]any
	refused []string // Countries that the account may not call.
	next    int

	// fail answers instead of the API when it says so.
	fail func(w http.ResponseWriter, r *http.Request, call string) bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{things: make(map[string]string), bodies: make(map[string]map[string]any)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/whoami", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, `{"data":{"user_id":"u","organization_id":"o","record_type":"whoami"}}`)
	})
	for _, kind := range []string{"outbound_voice_profiles", "fqdn_connections", "fqdns"} {
		mux.HandleFunc("POST /v2/"+kind, func(w http.ResponseWriter, r *http.Request) { f.create(w, r, kind) })
		mux.HandleFunc("DELETE /v2/"+kind+"/{id}", func(w http.ResponseWriter, r *http.Request) { f.remove(w, r, kind) })
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v2")
		f.mu.Lock()
		f.calls = append(f.calls, call)
		fail := f.fail
		f.mu.Unlock()
		if fail != nil && fail(w, r, call) {
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+testKey {
			say(w, http.StatusUnauthorized, `{"errors":[{"code":"10009","title":"Authentication failed","detail":"`+
				r.Header.Get("Authorization")+`"}]}`)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL + "/v2"
	return f
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func refuse(w http.ResponseWriter, status int, code, detail, pointer string) {
	text, _ := json.Marshal(map[string]any{"errors": []any{map[string]any{
		"code": code, "title": "Bad Request", "detail": detail, "source": map[string]string{"pointer": pointer},
	}}})
	say(w, status, string(text))
}

// required has the fields without which the API refuses, as far as we send them.
var required = map[string][]string{
	"outbound_voice_profiles": {"name", "service_plan", "traffic_type", "whitelisted_destinations"},
	"fqdn_connections":        {"connection_name", "inbound", "outbound", "password", "user_name"},
	"fqdns":                   {"connection_id", "dns_record_type", "fqdn", "port"},
}

func (f *fake) create(w http.ResponseWriter, r *http.Request, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body map[string]any
	if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&body) != nil {
		refuse(w, http.StatusBadRequest, "10015", "The body is not JSON.", "")
		return
	}
	if got := slices.Sorted(maps.Keys(body)); !slices.Equal(got, required[kind]) {
		refuse(w, http.StatusUnprocessableEntity, "10004", fmt.Sprintf("fields %v, want %v", got, required[kind]), "")
		return
	}
	parent := ""
	switch kind {
	case "outbound_voice_profiles":
		var refused []string
		for _, country := range body["whitelisted_destinations"].([]any) {
			if slices.Contains(f.refused, country.(string)) {
				refused = append(refused, country.(string))
			}
		}
		if len(refused) > 0 {
			// As an account sees it: a few at a time.
			refuse(w, http.StatusUnprocessableEntity, "10015", "You must have your account approved IN writing to use the "+
				"following countries: "+strings.Join(refused[:min(2, len(refused))], ", ")+".", "/whitelisted_destinations")
			return
		}
	case "fqdn_connections":
		for _, field := range []string{"user_name", "password"} {
			s := body[field].(string)
			if len(s) < 4 || len(s) > 128 || field == "user_name" && len(s) > 32 ||
				strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
				refuse(w, http.StatusUnprocessableEntity, "10015", "Must contain only letters and numbers.", "/"+field)
				return
			}
		}
		parent = "outbound_voice_profiles/" + body["outbound"].(map[string]any)["outbound_voice_profile_id"].(string)
	case "fqdns":
		if body["dns_record_type"] != "a" || body["port"].(float64) < 1 {
			refuse(w, http.StatusUnprocessableEntity, "10015", "is invalid", "/port")
			return
		}
		parent = "fqdn_connections/" + body["connection_id"].(string)
	}
	if _, ok := f.things[parent]; parent != "" && !ok {
		refuse(w, http.StatusUnprocessableEntity, "10013", "One of the associated fields does not exist.", "")
		return
	}
	f.next++
	id := strconv.Itoa(1000 + f.next)
	f.things[kind+"/"+id] = parent
	f.bodies[kind] = body
	say(w, http.StatusCreated, `{"data":{"id":"`+id+`","record_type":"`+strings.TrimSuffix(kind, "s")+`"}}`)
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	thing := kind + "/" + r.PathValue("id")
	if _, ok := f.things[thing]; !ok {
		refuse(w, http.StatusNotFound, "10005", "The requested resource or URL could not be found.", "")
		return
	}
	for other, parent := range f.things {
		if parent == thing {
			refuse(w, http.StatusUnprocessableEntity, "10015", "It is in use by "+other+".", "")
			return
		}
	}
	delete(f.things, thing)
	if kind == "fqdns" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	say(w, http.StatusOK, `{"data":{"id":"`+r.PathValue("id")+`"}}`)
}

func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) left() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.things))
}
