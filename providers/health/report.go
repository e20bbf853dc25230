package health

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// Report is all that is known of a provider.
type Report struct {
	Status       Status
	Windows      Windows
	Destinations []DestinationReport // Those with a call in the last hour, by target.
	Uncounted    uint64              // Attempts, of all providers, that found no room among the destinations.
}

// Windows are the figures of both windows.
type Windows struct {
	Minutes5, Hour1 Figures
}

// DestinationReport has the figures of one target.
type DestinationReport struct {
	Target  string
	Windows Windows
}

// Report tells all that is known of a provider now; of one that was never asked for, that is nothing.
func (r *Registry) Report(now int64, id uuid.UUID) Report {
	r.mu.Lock()
	s := r.states[id]
	r.mu.Unlock()
	if s == nil {
		s = new(State)
	}
	report := Report{Status: s.Status(now), Windows: s.Stats().windows(now), Uncounted: r.WithoutDestination()}
	for _, d := range r.Destinations(now, id) {
		report.Destinations = append(report.Destinations, DestinationReport{d.Target, d.windows(now)})
	}
	slices.SortFunc(report.Destinations, func(a, b DestinationReport) int { return cmp.Compare(a.Target, b.Target) })
	return report
}

func (s *Series) windows(now int64) Windows {
	return Windows{Minutes5: s.Read(now, Minutes5), Hour1: s.Read(now, Hour1)}
}
