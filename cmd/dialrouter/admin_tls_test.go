package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
)

// writeCertificate makes a certificate of 127.0.0.1 and writes its files.
func writeCertificate(t *testing.T, dir string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "dialrouter"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"admin.pem": {Type: "CERTIFICATE", Bytes: der}, "admin.pk8": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestServeByTLS asks by HTTPS, renews the certificate, and breaks it.
func TestServeByTLS(t *testing.T) {
	t.Parallel()
	conf := configured(t, strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}",
		"admin: {listen: 127.0.0.1:0, tls: {certificate: admin.pem, key: admin.pk8}}", 1), "providers: []\n")
	dir := filepath.Dir(conf)
	first := writeCertificate(t, dir, 1)
	p := serving(t, conf, "DIALROUTER_ADMIN_TOKEN=from-the-environment")
	if !strings.HasPrefix(p.url, "https://") {
		t.Fatalf("it is at %q", p.url)
	}
	// ask returns the answer and the serial number of the certificate; each time over a connection of its own.
	ask := func(trusted *x509.Certificate) (code int, serial int64, err error) {
		pool := x509.NewCertPool()
		pool.AddCert(trusted)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1.0/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer from-the-environment")
		resp, err := (&http.Client{Transport: transport}).Do(q)
		if err != nil {
			return 0, 0, err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if code, serial, err := ask(first); code != 200 || serial != 1 || err != nil {
		t.Errorf("%d, certificate %d, %v", code, serial, err)
	}
	second := writeCertificate(t, dir, 2)
	if code, serial, err := ask(second); code != 200 || serial != 2 || err != nil {
		t.Errorf("renewed: %d, certificate %d, %v", code, serial, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "admin.pem"), []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, serial, err := ask(second); code != 200 || serial != 2 || err != nil || !p.logs("the old certificate of the HTTP side stays in use") {
		t.Errorf("broken: %d, certificate %d, %v\n%s", code, serial, err, p.logged())
	}
	out, _, code := runCommand(t, nil, "check", "--config", conf)
	if code != 1 || !strings.Contains(out, conf+":3: admin.tls: ") {
		t.Errorf("check: %d %s", code, out)
	}
}

// TestIsOpen tells who can listen in.
func TestIsOpen(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]bool{
		"": false, "127.0.0.1:8080": false, "[::1]:8080": false, "127.5.5.5:1": false, "0.0.0.0:8080": true, "192.0.2.1:8080": true, "[::]:1": true,
	} {
		if got := isOpen(&config.Admin{Listen: listen}); got != want {
			t.Errorf("%q: %t", listen, got)
		}
		if isOpen(&config.Admin{Listen: listen, TLS: config.AdminTLS{Certificate: "x", Key: "y"}}) {
			t.Errorf("%q with TLS is open", listen)
		}
	}
}
