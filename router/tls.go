package router

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/router/message"
)

// watched is what was read from files that are read again when they change: renewing them needs no restart. What cannot
// be used leaves the old in force.
type watched[T any] struct {
	what  string // For the log.
	files []string
	read  func() (T, error)
	log   *slog.Logger

	mu     sync.Mutex
	value  T
	tried  []time.Time // When the files had changed last, as they were read last.
	failed string      // Why what they hold now is not in force, "" when it is.
	looked time.Time
}

// lookEvery is how often the files' times are looked at, at most.
const lookEvery = time.Second

// watch reads the files a first time.
func watch[T any](log *slog.Logger, what string, read func() (T, error), files ...string) (*watched[T], error) {
	w := &watched[T]{what: what, files: files, read: read, log: log, looked: time.Now(), tried: modified(files)}
	var err error
	if w.value, err = read(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return w, nil
}

// get returns what is in force.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.looked) >= lookEvery {
		w.looked = now
		w.refreshLocked()
	}
	return w.value
}

func (w *watched[T]) refreshLocked() {
	times := modified(w.files)
	same := slices.Equal(times, w.tried)
	if same && w.failed == "" {
		return
	}
	w.tried = times
	v, err := w.read()
	if err != nil {
		if text := err.Error(); !same || text != w.failed {
			w.failed = text
			w.log.Error("changed files cannot be used; what was read before stays in force", "key", w.what, "error", err)
		}
		return
	}
	w.value, w.failed = v, ""
	w.log.Info("changed files are in force", "key", w.what)
}

// modified is when files changed last, zero for one where that cannot be told.
func modified(files []string) []time.Time {
	times := make([]time.Time, len(files))
	for i, name := range files {
		if fi, err := os.Stat(name); err == nil {
			times[i] = fi.ModTime()
		}
	}
	return times
}

// security has what TLS needs on both sides.
type security struct {
	server  *tls.Config // Nil without a certificate.
	client  *tls.Config // Without a name.
	roots   *watched[*x509.CertPool]
	expires func() time.Time // When our certificate ends; nil: there is none.

	wildcards bool // Whether a peer may show a certificate for *.example.net.
}

// newSecurity reads the files of the configuration.
func newSecurity(cfg config.TLS, log *slog.Logger) (*security, error) {
	s := &security{
		client:    &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1024)},
		wildcards: cfg.Wildcards,
	}
	var err error
	if cfg.CA != "" {
		if s.roots, err = watch(log, "tls.ca", func() (*x509.CertPool, error) { return readPool(cfg.CA) }, cfg.CA); err != nil {
			return nil, err
		}
	}
	if cfg.Certificate == "" {
		return s, nil
	}
	read := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cfg.Certificate, cfg.Key)
		return &c, err
	}
	own, err := watch(log, "tls.certificate", read, cfg.Certificate, cfg.Key)
	if err != nil {
		return nil, err
	}
	s.expires = func() time.Time { return own.get().Leaf.NotAfter }
	s.server = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.get(), nil },
	}
	s.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.get(), nil }
	return s, nil
}

// readPool reads the certificates of the authorities that we trust.
func readPool(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", name)
	}
	return pool, nil
}

// peerNames numbers the names that TLS peers have to prove, so that a flow can say which.
type peerNames struct {
	mu    sync.Mutex
	ids   map[string]uint16
	names []string // By id, from 1.
}

// The names that there may be in all, and those up to which a request within a dialog may add one: strangers' names
// leave room for the catalog's.
const (
	maxPeers     = 1<<16 - 1
	learnedPeers = 1 << 15
)

// id is the number of a name from the catalog.
func (p *peerNames) id(name string) uint16 { return p.number(name, maxPeers) }

// learn is the number of a name that somebody told us.
func (p *peerNames) learn(name string) uint16 { return p.number(name, learnedPeers) }

// number is 0, which stands for the address alone, when there are too many names.
func (p *peerNames) number(name string, limit int) uint16 {
	name = strings.ToLower(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if id, ok := p.ids[name]; ok {
		return id
	}
	if len(p.names) >= limit {
		return 0
	}
	if p.ids == nil {
		p.ids = make(map[string]uint16)
	}
	p.names = append(p.names, name)
	id := uint16(len(p.names))
	p.ids[name] = id
	return id
}

// name is the name with a number, "" for 0.
func (p *peerNames) name(id uint16) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == 0 || int(id) > len(p.names) {
		return ""
	}
	return p.names[id-1]
}

// dial is the configuration for a connection to a remote address that is known by a name; the address itself when
// there is none.
func (s *security) dial(remote netip.AddrPort, name string) *tls.Config {
	if name == "" {
		name = remote.Addr().WithZone("").String()
	}
	c := s.client.Clone()
	c.ServerName = name
	// The chain is checked here and not by the library, because a SIP domain may stand in a certificate as a URI,
	// which the library does not look at.
	c.InsecureSkipVerify = true
	var roots *x509.CertPool // Nil: the system's.
	if s.roots != nil {
		roots = s.roots.get()
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error { return verifyDomain(cs, roots, name, s.wildcards) }
	return c
}

// verifyDomain checks a peer's certificate: its chain, and that it speaks for the SIP domain (RFC 5922 section 7.2).
// When it names SIP URIs, only those count; else its DNS names and addresses do. SIP knows no wildcards; they count only
// where the configuration says so.
func verifyDomain(cs tls.ConnectionState, roots *x509.CertPool, domain string, wildcards bool) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the peer has no certificate")
	}
	leaf := cs.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, c := range cs.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return err
	}
	named := false
	for _, u := range leaf.URIs {
		host, ok := domainOf(u)
		if !ok {
			continue
		}
		if sameDomain(host, domain) {
			return nil
		}
		named = true
	}
	switch {
	case named:
		return fmt.Errorf("the certificate is for other SIP domains than %s", domain)
	case speaksFor(leaf, domain, wildcards):
		return nil
	case !wildcards && speaksFor(leaf, domain, true):
		return fmt.Errorf("the certificate is for %s by a wildcard only, which tls.wildcards does not allow", domain)
	default:
		return fmt.Errorf("the certificate is not for %s", domain)
	}
}

// domainOf is the SIP domain that a URI in a certificate stands for. One with a user part is that user's and not the
// domain's, and no other scheme counts, sips included (RFC 5922 section 7.1).
func domainOf(u *url.URL) (host string, ok bool) {
	if !strings.EqualFold(u.Scheme, "sip") {
		return "", false
	}
	uri, fault := message.ParseURI([]byte("sip:" + u.Opaque))
	if fault != nil || uri.HasUser {
		return "", false
	}
	return string(uri.Host), true
}

// speaksFor says whether a certificate has a domain among its DNS names and addresses.
func speaksFor(leaf *x509.Certificate, domain string, wildcards bool) bool {
	if addr, err := netip.ParseAddr(domain); err == nil {
		for _, ip := range leaf.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok && a.Unmap() == addr.Unmap() {
				return true
			}
		}
		return false
	}
	for _, name := range leaf.DNSNames {
		if sameDomain(name, domain) || wildcards && coversDomain(name, domain) {
			return true
		}
	}
	return false
}

// coversDomain says whether a name with a wildcard stands for a domain, as narrowly as RFC 9525 section 6.3 reads it: the
// wildcard is all of the first label and stands for exactly one label. What follows it has two labels or more, so that
// no certificate speaks for a whole top-level domain.
func coversDomain(name, domain string) bool {
	parent, ok := strings.CutPrefix(name, "*.")
	if !ok || strings.Contains(parent, "*") || !strings.Contains(strings.Trim(parent, "."), ".") {
		return false
	}
	label, rest, ok := strings.Cut(domain, ".")
	return ok && label != "" && sameDomain(parent, rest)
}

// sameDomain compares without case, and without the dot that says that a name is complete.
func sameDomain(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
