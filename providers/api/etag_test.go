package api

import (
	"net/http"
	"testing"
)

func TestIfMatch(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/routes/" + routeA
	body := func(n string) string { return `{"provider_id":"` + carrierA + `","target":"+1","name":"` + n + `"}` }
	put := func(name string, tags ...string) answer {
		q := request(t, http.MethodPut, at, body(name))
		for _, tag := range tags {
			q.Header.Add("If-Match", tag)
		}
		return r.send(t, q)
	}
	first := r.good(t, http.MethodGet, at, "").header.Get("ETag")
	second := put("a", first)
	second.must(t, 200, "")
	put("b", first).must(t, 412, "ETAG_MISMATCH")
	put("b", "W/"+second.header.Get("ETag")).must(t, 412, "ETAG_MISMATCH")
	put("b", `"x", `+first).must(t, 412, "ETAG_MISMATCH")
	third := put("c", `"x", `+second.header.Get("ETag"))
	third.must(t, 200, "")
	fourth := put("d", `"x"`, third.header.Get("ETag"))
	fourth.must(t, 200, "")
	put("e", "*").must(t, 200, "")
	put("f").must(t, 200, "")
	q := request(t, http.MethodDelete, at, "")
	q.Header.Set("If-Match", fourth.header.Get("ETag"))
	r.send(t, q).must(t, 412, "ETAG_MISMATCH")
	q = request(t, http.MethodDelete, at, "")
	q.Header.Set("If-Match", r.good(t, http.MethodGet, at, "").header.Get("ETag"))
	r.send(t, q).must(t, 200, "")
}

// TestETagTellsSecretsApart checks that a new password is another entry, though its answer looks the same.
func TestETagTellsSecretsApart(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/providers/" + carrierS
	const body = `{"type":"sip","hostname":"s.example","name":"carrier-s","credentials":{"username":"u","password":"`
	seen := make(map[string]bool)
	for _, password := range []string{"one", "two", "one"} {
		tag := r.good(t, http.MethodPut, at, body+password+`"}}`).header.Get("ETag")
		if seen[tag] {
			t.Errorf("tag %s again", tag)
		}
		seen[tag] = true
	}
}
