package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// routerName is what the router's certificate says that it is.
const routerName = "router.test"

// authority signs the certificates of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: newToken("authority ")}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool(), pem: pemOf("CERTIFICATE", der)}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// credential is a certificate with its key, ready to use and as the texts of files.
type credential struct {
	tls.Certificate
	cert, key string
}

// server is the configuration of a listener that shows this certificate.
func (c credential) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.Certificate}}
}

// claim is something that a certificate says.
type claim func(*x509.Certificate)

// issue makes a certificate that says these things. It is good from an hour ago to an hour from now unless they say
// otherwise.
func (a *authority) issue(t *testing.T, claims ...claim) credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, c := range claims {
		c(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := credential{cert: pemOf("CERTIFICATE", der), key: pemOf("PRIVATE KEY", keyDER)}
	if c.Certificate, err = tls.X509KeyPair([]byte(c.cert), []byte(c.key)); err != nil {
		t.Fatal(err)
	}
	return c
}

// forName has the certificate speak for a DNS name.
func forName(name string) claim {
	return func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, name) }
}

// forURI has the certificate speak for a URI, of whatever scheme.
func forURI(text string) claim {
	return func(c *x509.Certificate) {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		c.URIs = append(c.URIs, u)
	}
}

// forAddr has the certificate speak for an address.
func forAddr(addr netip.Addr) claim {
	return func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, net.IP(addr.AsSlice())) }
}

// forCommonName has only the subject's common name say who it is.
func forCommonName(name string) claim {
	return func(c *x509.Certificate) { c.Subject.CommonName = name }
}

// between has the certificate be good for a while, counted from now.
func between(from, to time.Duration) claim {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

// onlyFor limits what the certificate may be used for.
func onlyFor(usage x509.ExtKeyUsage) claim {
	return func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{usage} }
}

// secured completes a setup with a listener for TLS, beside those for UDP and TCP, whose certificate and trust come
// from this authority.
func (a *authority) secured(t *testing.T, s setup) setup {
	t.Helper()
	s.dir = t.TempDir()
	own := a.issue(t, forName(routerName))
	files := map[string]string{"cert.pem": own.cert, "key.pem": own.key, "ca.pem": a.pem}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.more = append(s.more, "tls: {certificate: cert.pem, key: key.pem, ca: ca.pem}")
	if s.listen == nil {
		ip := newIP()
		s.listen = []string{fmt.Sprintf("udp://%s:0", ip), fmt.Sprintf("tcp://%s:0", ip), fmt.Sprintf("tls://%s:0", ip)}
	}
	return s
}

// peer opens a peer on UDP and TLS whose certificate speaks for its address, beside what else is said.
func (a *authority) peer(t *testing.T, claims ...claim) *peer {
	t.Helper()
	ip := newIP()
	return a.peerWith(t, netip.AddrPortFrom(ip, 0), a.issue(t, append(claims, forAddr(ip))...).server())
}

// peerWith opens a peer on UDP and TLS at an address with a listener's configuration of the test's own.
func (a *authority) peerWith(t *testing.T, at netip.AddrPort, server *tls.Config) *peer {
	t.Helper()
	p := newPeerAt(t, at)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", p.addr.String())
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p.tcp, p.secure = l, &tls.Config{RootCAs: a.pool, ServerName: routerName}
	p.readers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.adopt(tls.Server(conn, server))
		}
	})
	return p
}

// state is what the TLS connection that a message came by says of itself.
func (m *msg) state(t *testing.T) tls.ConnectionState {
	t.Helper()
	conn, ok := m.conn.(*tls.Conn)
	if !ok {
		t.Fatalf("it came over %s:\n%s", m.transport(), m.raw)
	}
	return conn.ConnectionState()
}
