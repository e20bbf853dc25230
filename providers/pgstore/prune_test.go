package pgstore_test

import (
	"errors"
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
)

// TestHistoryIsBounded makes more changes than can be taken back: what is too old is no longer there, and everything
// else is, the audit whole.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	const kept, more = 200, 25
	url := sharedServer(t).Database(t)
	s := open(t, pgstore.Options{URL: url, Poll: never})
	mustAdd(t, s, "gone")
	// Revision n has n calls as the limit, from 2 on; the provider that is deleted goes at revision 3.
	_, err := s.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
		p, err := d.ProviderNamed("gone")
		if err != nil {
			return err
		}
		_, err = d.DeleteProvider(p.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	head := int64(3)
	mustAdd(t, s, "a")
	for head++; head < kept+more; head++ {
		_, err := s.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
			p, err := d.ProviderNamed("a")
			if err != nil {
				return err
			}
			p.Limits.Calls = int(head) + 1
			_, err = d.ReplaceProvider(*p)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := query[int64](t, url, "select n from dialrouter.head"); got != head {
		t.Fatalf("revision %d, want %d", got, head)
	}
	// Each revision from the oldest that is kept has the provider in a state of its own; and one is deleted.
	if rows := query[int](t, url, "select count(*) from dialrouter.providers"); rows != kept+1+1 {
		t.Errorf("%d rows, want %d", rows, kept+1+1)
	}
	if rows := query[int64](t, url, "select count(*) from dialrouter.audit"); rows != head-1 {
		t.Errorf("%d lines of audit, want %d", rows, head-1)
	}
	if found, err := s.Audit(t.Context(), 0, int(head)); err != nil || int64(len(found)) != head {
		t.Errorf("%d revisions, %v", len(found), err)
	}
	for _, n := range []int64{1, 2, more - 1} {
		if _, err := s.Restore(t.Context(), providers.Actor{}, n); !errors.Is(err, providers.ErrNotFound) {
			t.Errorf("revision %d: %v", n, err)
		}
	}
	c, err := s.Restore(t.Context(), providers.Actor{}, more)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.ProviderNamed("a"); p == nil || p.Limits.Calls != more || len(c.Providers) != 1 {
		t.Errorf("restored %+v", c.Providers)
	}
	// Who comes now reads the same.
	other := open(t, pgstore.Options{URL: url, Poll: never})
	if c2, err := other.Catalog(t.Context()); err != nil || c2.Revision != c.Revision || c2.ProviderNamed("a").Limits.Calls != more {
		t.Errorf("read %+v, %v", c2, err)
	}
}
