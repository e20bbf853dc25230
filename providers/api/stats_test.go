package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	evidence "github.com/voipbin/dialrouter/providers/health"
)

func (r *fakeRouter) ProviderReport(id uuid.UUID) evidence.Report {
	if r.registry == nil {
		r.registry = evidence.NewRegistry()
	}
	return r.registry.Report(int64(time.Hour), id)
}

// TestStats checks the figures of a provider, of all its calls and by destination.
func TestStats(t *testing.T) {
	r := newRig(t)
	a, now := uuid.MustParse(carrierA), int64(time.Hour)
	r.router.registry = evidence.NewRegistry()
	state, us := r.router.registry.State(a), r.router.registry.Destination(now, a, "+1")
	count := func(now int64, o evidence.Outcome, times int, pdd time.Duration) {
		for range times {
			state.Stats().Count(now, o, int64(pdd))
			us.Count(now, o, int64(pdd))
		}
	}
	count(now, evidence.Answered, 4, 100*time.Millisecond)
	count(now, evidence.Busy, 1, 0)
	count(now, evidence.NotFound, 1, 0)
	count(now-int64(20*time.Minute), evidence.Ailing, 2, 0)
	r.router.registry.Answered(now-int64(100*time.Second), evidence.Call{1}, state, us)
	r.router.registry.HungUp(now-int64(10*time.Second), evidence.Call{1})
	for range 5 {
		state.Failed(now, evidence.Silent, 5)
	}
	short := `{"attempts":6,"outcomes":{"answered":4,"busy":1,"no_answer":0,"rejected":0,"hung_up":0,"not_found":1,"redirected":0,` +
		`"failed":0},"asr":0.6667,"ner":1,"acd_s":90,"acd_calls":1,"pdd_p50_ms":104,"pdd_p95_ms":111.2,"pdd_calls":4}`
	long := `{"attempts":8,"outcomes":{"answered":4,"busy":1,"no_answer":0,"rejected":0,"hung_up":0,"not_found":1,"redirected":0,` +
		`"failed":2},"asr":0.5,"ner":0.7143,"acd_s":90,"acd_calls":1,"pdd_p50_ms":104,"pdd_p95_ms":111.2,"pdd_calls":4}`
	want := `{"provider_id":"` + carrierA + `","provider_name":"carrier-a","reason":"5 calls in a row failed, the last got no reply",` +
		`"last_5m":` + short + `,"last_1h":` + long + `,"destinations":[{"target":"+1","last_5m":` + short + `,"last_1h":` + long + `}],` +
		`"uncounted":0}` + "\n"
	if got := r.good(t, http.MethodGet, "/v1.0/providers/"+carrierA+"/stats", "").body; got != want {
		t.Errorf("stats\n%s\nwant\n%s", got, want)
	}
	none := `{"attempts":0,"outcomes":{"answered":0,"busy":0,"no_answer":0,"rejected":0,"hung_up":0,"not_found":0,"redirected":0,` +
		`"failed":0},"asr":null,"ner":null,"acd_s":null,"acd_calls":0,"pdd_p50_ms":null,"pdd_p95_ms":null,"pdd_calls":0}`
	want = `{"provider_id":"` + carrierS + `","provider_name":"carrier-s","reason":"","last_5m":` + none + `,"last_1h":` + none +
		`,"destinations":[],"uncounted":0}` + "\n"
	if got := r.as(t, viewerToken, http.MethodGet, "/v1.0/providers/"+carrierS+"/stats", "").body; got != want {
		t.Errorf("stats\n%s\nwant\n%s", got, want)
	}
	r.do(t, http.MethodGet, "/v1.0/providers/"+nobody+"/stats", "").must(t, 404, "PROVIDER_NOT_FOUND")
	r.do(t, http.MethodGet, "/v1.0/providers/x/stats", "").must(t, 400, "INVALID_ID")
}
