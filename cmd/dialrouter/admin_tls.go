package main

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/config"
)

// certificate is what the HTTP side shows to who connects by TLS. A file that was renewed is read again when the next
// one does; one that is broken then leaves the old in use.
type certificate struct {
	files config.AdminTLS
	log   *slog.Logger

	mu    sync.Mutex
	pair  *tls.Certificate
	times [2]time.Time // When the files were changed that pair is of, or that were refused.
}

// newCertificate reads the files for the first time.
func newCertificate(files config.AdminTLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log, times: changeTimes(files)}
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	c.pair = &pair
	return c, err
}

func changeTimes(files config.AdminTLS) (times [2]time.Time) {
	for i, path := range []string{files.Certificate, files.Key} {
		if info, err := os.Stat(path); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// get implements tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	times := changeTimes(c.files)
	if times == c.times {
		return c.pair, nil
	}
	c.times = times
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		c.log.Error("the old certificate of the HTTP side stays in use", "error", err)
		return c.pair, nil
	}
	c.pair = &pair
	c.log.Info("certificate of the HTTP side renewed", "file", c.files.Certificate)
	return c.pair, nil
}

// isOpen says whether others than this machine can listen in to the HTTP side.
func isOpen(cfg *config.Admin) bool {
	addr, err := netip.ParseAddrPort(cfg.Listen)
	return err == nil && !addr.Addr().IsLoopback() && cfg.TLS.Certificate == ""
}
