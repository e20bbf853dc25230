//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/voipbin/dialrouter/bench/host"
)

// stand is a proxy and the generator that faces it, both running.
type stand struct {
	kind  string
	dir   string
	log   *os.File
	gen   *loader
	proxy *host.Program
}

// start starts generator and proxy. Who gets them calls end.
func (r *runner) start(ctx context.Context, kind string) (*stand, error) {
	s := &stand{kind: kind}
	var err error
	if s.dir, err = os.MkdirTemp(r.dir, "turn-"); err != nil {
		return nil, s.end(ctx, err)
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		return nil, s.end(ctx, err)
	}
	if s.gen, err = r.startLoader(ctx, isFloor(kind), s.log); err != nil {
		return nil, s.end(ctx, err)
	}
	if s.proxy, err = r.startProxy(ctx, kind, s.dir, s.log); err != nil {
		return nil, s.end(ctx, err)
	}
	return s, nil
}

// end stops both, and returns what went wrong, in the end or before, with what they said last: but not when it was ended from
// outside, as the log does not say why.
func (s *stand) end(ctx context.Context, err error) error {
	said := ""
	if s.proxy != nil {
		err = errors.Join(err, s.proxy.Stop())
	}
	if s.gen != nil {
		err = errors.Join(err, s.gen.stop())
	}
	if s.log != nil {
		if ctx.Err() == nil {
			said = lastLines(s.log.Name())
		}
		err = errors.Join(err, s.log.Close())
	}
	_ = os.RemoveAll(s.dir)
	if err == nil {
		return nil
	}
	return fmt.Errorf("measuring %s: %w%s", s.kind, err, said)
}
