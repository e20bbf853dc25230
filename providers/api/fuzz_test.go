package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// FuzzProvider checks that whatever is taken for a provider can be read, sent back as it was read, and is the same.
func FuzzProvider(f *testing.F) {
	for _, seed := range []string{
		fullProvider, newProvider, `{}`, `[]`, `{"type":"sip","hostname":"h","name":"n","failover":{"next":[]}}`,
		`{"type":"sip","hostname":"h","name":"\ud83d\ude00","tech_headers":{"X-A":"********"}}`, `{"a":{"a":{"a":[1,2,{}]}},"a":1}`,
		`{"type":"sip","hostname":"h","name":"n","limits":{"cps":1e-7},"budgets":{"answer":"1h0m0s"}}`, "{\"name\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		p, err := readProvider(o, nil)
		if err != nil {
			if f := faultOf(err); f.code != 400 || len(f.details) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		d := providers.NewDraft(providers.NewCatalog("", nil, nil), time.Unix(1e9, 0))
		made, err := d.CreateProvider(p)
		if err != nil {
			return
		}
		made.HealthStatus = providers.HealthUnknown
		text, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		if o, err = parseObject(text); err != nil {
			t.Fatal(err)
		}
		again, err := readProvider(o, made)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if after, err := d.ReplaceProvider(again); err != nil || !after.Same(made) {
			t.Fatalf("%+v became %+v, %v", made, after, err)
		}
	})
}

// FuzzObject checks that a list of names is what encoding/json reads, for what both take.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":{"c":null}}`, `{"a":1,"a":2}`, `{"\u0061":1}`, ` { "" : [ ] } `, `{"a":1}x`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		var m map[string]json.RawMessage
		if jsonErr := json.Unmarshal(body, &m); err == nil && (jsonErr != nil || m == nil) {
			t.Fatalf("taken, though %v", jsonErr)
		}
		if err != nil {
			return
		}
		if len(o.names) != len(m) {
			t.Fatalf("names %q of %d", o.names, len(m))
		}
		for _, name := range o.names {
			if _, ok := m[name]; !ok {
				t.Fatalf("no %q", name)
			}
		}
	})
}
