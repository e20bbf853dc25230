package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// authority is a CA for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// server returns a configuration with a certificate for a name and address.
func (a *authority) server(tb testing.TB, name string, addrs ...net.IP) *tls.Config {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, IPAddresses: addrs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// TestTLS lets two transports talk to each other.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	server := echoRig().start(t, Config{Listeners: []Listener{loopback(TLS)}, TLS: ca.server(t, "sip.example.com")})
	name := "sip.example.com"
	client := newRig()
	client.inner = true
	client.start(t, Config{
		Listeners: []Listener{loopback(TCP)},
		TLSClient: func(remote netip.AddrPort, _ uint16) *tls.Config {
			if remote != server.addr(0) {
				t.Errorf("asked for %v", remote)
			}
			return &tls.Config{RootCAs: ca.pool, ServerName: name}
		},
	})
	s := client.NewSender()
	to := Flow{Proto: TLS, Remote: server.addr(0)}
	messages := []string{request("first", ""), invite, request("last", padding(200_000))}
	for range 2 {
		for _, m := range messages {
			s.Send(to, []byte(m))
		}
		s.Flush(client.Now())
		for _, want := range messages {
			if m := server.next(t); m.data != want || m.from.Proto != TLS {
				t.Fatalf("server got %.60q from %v", m.data, m.from)
			}
		}
		for _, want := range messages {
			if m := client.next(t); m.data != want || m.from.Remote != to.Remote {
				t.Fatalf("client got %.60q from %v", m.data, m.from)
			}
		}
	}
	if a, b := server.Conns(), client.Conns(); a != 1 || b != 1 {
		t.Errorf("%d and %d connections", a, b)
	}
	client.noFailure(t)
	server.noFailure(t)
}

// TestTLSRefused: a peer that is not who it should be gets nothing.
func TestTLSRefused(t *testing.T) {
	ca := newAuthority(t)
	server := echoRig().start(t, Config{Listeners: []Listener{loopback(TLS)}, TLS: ca.server(t, "sip.example.com")})
	tests := []struct {
		name string
		cfg  *tls.Config
	}{
		{"wrong name", &tls.Config{RootCAs: ca.pool, ServerName: "other.example.com"}},
		{"unknown authority", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "sip.example.com"}},
		{"by address", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newRig()
			client.inner = true
			client.start(t, Config{
				Listeners: []Listener{loopback(TCP)},
				TLSClient: func(netip.AddrPort, uint16) *tls.Config { return tt.cfg },
			})
			s := client.NewSender()
			s.Send(Flow{Proto: TLS, Remote: server.addr(0)}, []byte(request("a", "")))
			s.Flush(client.Now())
			var bad *tls.CertificateVerificationError
			if f := client.nextFailure(t); !errors.As(f.err, &bad) {
				t.Errorf("failed: %v", f.err)
			}
		})
	}
	if len(server.got) > 0 {
		t.Errorf("received %q", (<-server.got).data)
	}
}

// TestTLSHandshake: who does not speak TLS, or does not speak at all, is left
// soon.
func TestTLSHandshake(t *testing.T) {
	ca := newAuthority(t)
	r := newRig().start(t, Config{
		Listeners: []Listener{loopback(TLS)}, TLS: ca.server(t, "a"), MessageTimeout: 200 * time.Millisecond,
	})
	for _, tt := range []struct{ name, in, reason string }{
		{"plain", request("a", ""), DropStreamFraming},
		{"silent", "", DropStreamTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := r.dialTCP(t, 0)
			write(t, c, tt.in)
			if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
			eventually(t, "counted", func() bool { return r.dropped(tt.reason) == 1 })
		})
	}
}

// TestTLSUnusable: the answer to a bad message comes before the end.
func TestTLSUnusable(t *testing.T) {
	ca := newAuthority(t)
	r := newRig()
	r.onReceive = func(s *Sender, from Flow, _ []byte) { s.Send(from, []byte("SIP/2.0 400 Bad\r\n\r\n")) }
	r.start(t, Config{Listeners: []Listener{loopback(TLS)}, TLS: ca.server(t, "a")})
	c := tls.Client(r.dialTCP(t, 0), &tls.Config{RootCAs: ca.pool, ServerName: "a"})
	write(t, c, "OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n"+padding(50_000))
	if all, err := io.ReadAll(c); err != nil || string(all) != "SIP/2.0 400 Bad\r\n\r\n" {
		t.Errorf("read %q: %v", all, err)
	}
}
