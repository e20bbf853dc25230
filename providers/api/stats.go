package api

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	evidence "github.com/voipbin/dialrouter/providers/health"
)

// statsAnswer is what became of a provider's calls.
type statsAnswer struct {
	ProviderID   uuid.UUID          `json:"provider_id"`
	ProviderName string             `json:"provider_name"`
	Reason       string             `json:"reason"` // Why it goes behind the others, "" when it does not.
	Last5m       windowStats        `json:"last_5m"`
	Last1h       windowStats        `json:"last_1h"`
	Destinations []destinationStats `json:"destinations"`
	Uncounted    uint64             `json:"uncounted"`
}

type destinationStats struct {
	Target string      `json:"target"`
	Last5m windowStats `json:"last_5m"`
	Last1h windowStats `json:"last_1h"`
}

// windowStats are the figures of one window. What cannot be told for want of calls is null.
type windowStats struct {
	Attempts uint64        `json:"attempts"`
	Outcomes outcomeCounts `json:"outcomes"`
	ASR      *rounded      `json:"asr"`
	NER      *rounded      `json:"ner"`
	ACD      *rounded      `json:"acd_s"`
	ACDCalls uint64        `json:"acd_calls"`
	PDD50    *rounded      `json:"pdd_p50_ms"`
	PDD95    *rounded      `json:"pdd_p95_ms"`
	PDDCalls uint64        `json:"pdd_calls"`
}

// outcomeCounts is an object with a field for each outcome.
type outcomeCounts struct{ *evidence.Figures }

// MarshalJSON writes the outcomes by name, in their order.
func (c outcomeCounts) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, o := range evidence.Outcomes() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, o.String()), ':')
		b = strconv.AppendUint(b, c.Outcomes[o], 10)
	}
	return append(b, '}'), nil
}

// rounded is a number with four digits behind the point at most.
type rounded float64

// MarshalJSON writes the number.
func (r rounded) MarshalJSON() ([]byte, error) {
	b := strconv.AppendFloat(nil, float64(r), 'f', 4, 64)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b, nil
}

// known is a number, or null.
func known(v float64, ok bool) *rounded {
	if !ok {
		return nil
	}
	r := rounded(v)
	return &r
}

func windowOf(f *evidence.Figures) windowStats {
	acd, measured := f.ACD()
	p50, rang := f.PDD(0.5)
	p95, _ := f.PDD(0.95)
	return windowStats{
		Attempts: f.Attempts(), Outcomes: outcomeCounts{f}, ASR: known(f.ASR()), NER: known(f.NER()),
		ACD: known(acd.Seconds(), measured), ACDCalls: f.Measured,
		PDD50: known(p50.Seconds()*1000, rang), PDD95: known(p95.Seconds()*1000, rang), PDDCalls: f.Rang(),
	}
}

// stats answers what became of a provider's calls.
func (a *API) stats(x *exchange) (any, error) {
	id, err := x.pathID()
	if err != nil {
		return nil, err
	}
	c, err := a.catalog(x.r.Context())
	if err != nil {
		return nil, err
	}
	p := c.Provider(id)
	if p == nil {
		return nil, notFound(providers.KindProvider, id)
	}
	r := a.router.ProviderReport(id)
	s := statsAnswer{
		ProviderID: p.ID, ProviderName: p.Name, Reason: r.Status.Reason, Uncounted: r.Uncounted,
		Last5m: windowOf(&r.Windows.Minutes5), Last1h: windowOf(&r.Windows.Hour1),
		Destinations: make([]destinationStats, 0, len(r.Destinations)),
	}
	for i := range r.Destinations {
		d := &r.Destinations[i]
		s.Destinations = append(s.Destinations, destinationStats{
			Target: d.Target, Last5m: windowOf(&d.Windows.Minutes5), Last1h: windowOf(&d.Windows.Hour1),
		})
	}
	return s, nil
}

func statsSchema() dict {
	window := ref("schemas", "CallFigures")
	return read("What became of a provider's calls since the router was started: last_5m is the last five minutes, to half a minute, "+
		"last_1h the last hour, to five minutes.",
		property{name: "provider_id", schema: uuidSchema("Which provider.")},
		property{name: "provider_name", schema: text("Its name.")},
		property{name: "reason", schema: text("Why it goes behind the others now; none when it does not.")},
		property{name: "last_5m", schema: window},
		property{name: "last_1h", schema: window},
		property{name: "destinations", schema: listOf(read("A target of routes to the provider.",
			property{name: "target", schema: text("all, or a prefix of the number: +1.")},
			property{name: "last_5m", schema: window},
			property{name: "last_1h", schema: window}), "By target; those with a call in the last hour.")},
		property{name: "uncounted", schema: integer("Attempts, of all providers, that are not among destinations because there are " +
			"more than " + strconv.Itoa(evidence.MaxDestinations) + ".")})
}

func figuresSchema() dict {
	outcomes := make([]property, 0, len(evidence.Outcomes()))
	for _, o := range evidence.Outcomes() {
		outcomes = append(outcomes, property{name: o.String(), schema: integer(describeOutcome(o))})
	}
	return read("Figures of one window of time. What cannot be told for want of calls is null.",
		property{name: "attempts", schema: integer("INVITEs that it was sent, each once: seizures.")},
		property{name: "outcomes", schema: read("What became of them.", outcomes...)},
		property{name: "asr", schema: nullable(number("Answer seizure ratio (ITU-T E.425): answered among attempts, without redirected ones. " +
			"A busy callee lowers it; ner is the one to judge by."))},
		property{name: "ner", schema: nullable(number("Network effectiveness ratio (E.425): all but failed, among attempts without not_found and " +
			"redirected ones. What callee or caller decide blames nobody."))},
		property{name: "acd_s", schema: nullable(number("Average call duration in seconds, of acd_calls."))},
		property{name: "acd_calls", schema: integer("Answered calls that ended in the window, and whose answer and BYE passed here. " +
			"How long others lasted is not known. Of very many calls some stand for all.")},
		property{name: "pdd_p50_ms", schema: nullable(number("Post-dial delay, from the INVITE to the first 18x, that half of pdd_calls did not " +
			"exceed; to an eighth."))},
		property{name: "pdd_p95_ms", schema: nullable(number("The same for 95 % of them."))},
		property{name: "pdd_calls", schema: integer("Attempts with an 18x. One without has no post-dial delay, not none.")})
}

func describeOutcome(o evidence.Outcome) string {
	return [...]string{
		evidence.Answered: "2xx.",
		evidence.Busy:     "486 and 600.",
		evidence.NoAnswer: "It rang, and nobody answered.",
		evidence.Rejected: "The callee refused: 480, 487, 603, 606 and other 6xx.",
		evidence.HungUp:   "The caller hung up before, or its time was over.",
		evidence.NotFound: "Nobody has the number: 404, 410, 484, 485, 604.",
		evidence.Moved:    "3xx.",
		evidence.Ailing:   "All else: the call did not come to the callee.",
	}[o]
}
