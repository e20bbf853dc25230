package router

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/voipbin/dialrouter/config"
)

// FileFaults reads the files that a configuration names besides the catalog, and says by key why one cannot be used. It
// writes nothing: a route key that is missing is made when the router starts.
func FileFaults(cfg *config.Config) map[string]error {
	faults := make(map[string]error)
	note := func(key string, err error) {
		if err != nil {
			faults[key] = err
		}
	}
	if cfg.TLS.CA != "" {
		_, err := readPool(cfg.TLS.CA)
		note("tls.ca", err)
	}
	if cfg.TLS.Certificate != "" {
		_, err := tls.LoadX509KeyPair(cfg.TLS.Certificate, cfg.TLS.Key)
		key := "tls.certificate"
		if missing, ok := errors.AsType[*fs.PathError](err); ok && missing.Path == cfg.TLS.Key {
			key = "tls.key"
		}
		note(key, err)
	}
	b, err := os.ReadFile(cfg.SIP.RouteKeyFile)
	if err == nil {
		_, err = newRouteKey(b)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	note("sip.route_key_file", err)
	note("calls.file", callFileFault(cfg.Calls.File))
	return faults
}

// callFileFault says why calls cannot be written to a file, as far as can be seen without making it.
func callFileFault(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return errors.New(path + " is no regular file")
	}
	info, err := os.Stat(filepath.Dir(path))
	if err == nil && !info.IsDir() {
		err = errors.New(filepath.Dir(path) + " is no folder")
	}
	return err
}
