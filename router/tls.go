package router

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/router/message"
)

// identity is our certificate, read again when its files change: renewing it needs no restart.
type identity struct {
	certFile, keyFile string
	clock             func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate
	stamp   [2]time.Time
	looked  time.Time
	failure error // Why the newest files are not in force.
}

// lookEvery is how often the files' times are looked at, at most.
const lookEvery = time.Second

// load reads the files. The certificate in force stays when they cannot be used.
func (i *identity) load() error {
	c, err := tls.LoadX509KeyPair(i.certFile, i.keyFile)
	if err != nil {
		return fmt.Errorf("tls.certificate: %w", err)
	}
	i.cert = &c
	return nil
}

// get returns the certificate in force.
func (i *identity) get() (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.clock()
	if now.Sub(i.looked) >= lookEvery {
		i.looked = now
		if stamp := [2]time.Time{modified(i.certFile), modified(i.keyFile)}; stamp != i.stamp {
			if i.failure = i.load(); i.failure == nil {
				i.stamp = stamp
			}
		}
	}
	if i.cert == nil {
		return nil, i.failure
	}
	return i.cert, nil
}

// modified is when a file changed last, zero when it cannot be told.
func modified(name string) time.Time {
	fi, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

// security has what TLS needs on both sides.
type security struct {
	server *tls.Config
	client *tls.Config // Without a name.
}

// newSecurity reads the files of the configuration. Server and client are nil and plain, respectively, without a
// certificate.
func newSecurity(cfg config.TLS) (*security, error) {
	s := &security{client: &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1024)}}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		s.client.RootCAs = x509.NewCertPool()
		if !s.client.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate", cfg.CA)
		}
	}
	if cfg.Certificate == "" {
		return s, nil
	}
	id := &identity{certFile: cfg.Certificate, keyFile: cfg.Key, clock: time.Now}
	if _, err := id.get(); err != nil {
		return nil, err
	}
	s.server = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.get() },
	}
	s.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.get() }
	return s, nil
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
	roots := c.RootCAs
	c.VerifyConnection = func(cs tls.ConnectionState) error { return verifyDomain(cs, roots, name) }
	return c
}

// verifyDomain checks a peer's certificate: its chain, and that it speaks for the SIP domain (RFC 5922 section 7.2).
// When it names SIP URIs, only those count; else its DNS names and addresses do.
func verifyDomain(cs tls.ConnectionState, roots *x509.CertPool, domain string) error {
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
	case speaksFor(leaf, domain):
		return nil
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

// speaksFor says whether a certificate has a domain among its DNS names and addresses, as a whole: SIP knows no
// wildcards (RFC 5922 section 7.2).
func speaksFor(leaf *x509.Certificate, domain string) bool {
	if addr, err := netip.ParseAddr(domain); err == nil {
		for _, ip := range leaf.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok && a.Unmap() == addr.Unmap() {
				return true
			}
		}
		return false
	}
	for _, name := range leaf.DNSNames {
		if sameDomain(name, domain) {
			return true
		}
	}
	return false
}

// sameDomain compares without case, and without the dot that says that a name is complete.
func sameDomain(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
