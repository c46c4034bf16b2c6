package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a private certificate authority.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, cert := certificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	return &authority{cert: cert, key: key,
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))}
}

// serve starts a TLS server whose certificate is good for the names; without any, for
// localhost and 127.0.0.1.
func (a *authority) serve(t *testing.T, handler http.Handler, names ...string) *httptest.Server {
	t.Helper()
	template := &x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if len(names) == 0 {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	key, cert := certificate(t, template, a)
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	server.Config.ErrorLog = silent
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// certificate makes a certificate, signed by the authority or by itself.
func certificate(t *testing.T, template *x509.Certificate, by *authority) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// publish replaces the bundle in a directory in one step.
func publish(t *testing.T, dir, text string) {
	t.Helper()
	staged := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(staged, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(staged, filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
}

func openRoots(t *testing.T, bundle string) (*Roots, string) {
	t.Helper()
	dir := t.TempDir()
	publish(t, dir, bundle)
	roots, err := OpenRoots(dir, "ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	return roots, dir
}

func TestOpenRoots(t *testing.T) {
	ca := newAuthority(t, "private")
	for _, c := range []struct{ name, bundle, want string }{
		{"a certificate", ca.pem, ""},
		{"several, with prose between them", "# ours\n" + ca.pem + "# theirs\n" + newAuthority(t, "other").pem, ""},
		{"nothing", "", "holds no PEM certificate"},
		{"prose", "see the wiki", "holds no PEM certificate"},
		{"another block", strings.ReplaceAll(ca.pem, "CERTIFICATE", "PUBLIC KEY"), "holds no PEM certificate"},
		{"a broken certificate", strings.Replace(ca.pem, "M", "N", 1), "holds no PEM certificate"},
		{"too much", strings.Repeat("#", 1<<20) + ca.pem, "has more than 1048576 bytes"},
	} {
		dir := t.TempDir()
		publish(t, dir, c.bundle)
		roots, err := OpenRoots(dir, "ca.crt")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "":
			if _, err := ca.cert.Verify(x509.VerifyOptions{Roots: roots.Pool()}); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		default:
			want := `spec.trust.caBundle: the entry "ca.crt" of the ConfigMap ` + c.want + " (looked in " + dir + "): put the PEM certificates of your authorities there"
			if err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", c.name, err, want)
			}
		}
	}
	if _, err := OpenRoots(t.TempDir(), "ca.crt"); err == nil || !strings.Contains(err.Error(), "cannot be read: no such file or directory") {
		t.Errorf("a missing entry: %v", err)
	}
}

// TestPublicRoots verifies a chain of the public authorities that no other roots are
// needed for: each root itself.
func TestPublicRoots(t *testing.T) {
	roots, err := OpenRoots("", "")
	if err != nil {
		t.Fatal(err)
	}
	pool := roots.Pool()
	if n := len(pool.Subjects()); n < 100 { //nolint:staticcheck // it is not a pool of the system
		t.Errorf("%d authorities", n)
	}
	if roots.Pool() != pool {
		t.Error("the pool was built twice")
	}
	if _, err := newAuthority(t, "private").cert.Verify(x509.VerifyOptions{Roots: pool}); err == nil {
		t.Error("a private authority is trusted")
	}
}

// TestRotation: a connection is made on the bundle of the time, and an idle one is not
// used on.
func TestRotation(t *testing.T) {
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	server := second.serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("keys")) }))
	roots, dir := openRoots(t, first.pem)
	g := New(Options{Rules: rulesOf(t, server.Listener.Addr().String()), Roots: roots})
	changes, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		roots.Watch(t.Context(), func(err error) { changes <- err })
	}()
	t.Cleanup(func() { <-done })
	fetch := func() error {
		_, err := g.Fetch(t.Context(), server.URL, 100)
		return err
	}
	untrusted := "asking " + server.Listener.Addr().String() + ": tls: failed to verify certificate: x509: certificate signed by unknown authority: name a private authority in spec.trust.caBundle"
	if err := fetch(); err == nil || err.Error() != untrusted {
		t.Fatalf("before: %v", err)
	}
	for _, step := range []struct{ name, bundle, change, fetched string }{
		{"both", first.pem + second.pem, "", ""},
		{"broken", "-----BEGIN", `spec.trust.caBundle: the entry "ca.crt" of the ConfigMap holds no PEM certificate (its last good value stays in force)`, ""},
		{"mended", first.pem + second.pem, "", ""},
		{"the other one only", first.pem, "", untrusted},
		{"back", second.pem, "", ""},
	} {
		publish(t, dir, step.bundle)
		if err := <-changes; text(err) != step.change {
			t.Fatalf("%s: %v", step.name, err)
		}
		if err := fetch(); text(err) != step.fetched {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
