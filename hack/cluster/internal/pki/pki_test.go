package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var subjects = []Subject{
	{Name: "server", CommonName: "kube-apiserver", DNSNames: []string{"kubernetes", "kubernetes.default"},
		IPs: []string{"127.0.0.1", "10.211.255.1"}},
	{Name: "admin", CommonName: "admin", Organization: "system:masters"},
}

func ensure(t *testing.T, d Dir, s []Subject, now time.Time) {
	t.Helper()
	if err := d.Ensure(s, now); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCertificatesSpeakTLSToEachOther(t *testing.T) {
	d := Dir(t.TempDir())
	ensure(t, d, subjects, time.Now())
	serverTLS, err := d.ClientTLS("server")
	if err != nil {
		t.Fatal(err)
	}
	serverTLS.ClientCAs, serverTLS.ClientAuth = serverTLS.RootCAs, tls.RequireAndVerifyClientCert
	var user string
	var groups []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, groups = r.TLS.PeerCertificates[0].Subject.CommonName, r.TLS.PeerCertificates[0].Subject.Organization
	}))
	server.TLS = serverTLS
	server.StartTLS()
	defer server.Close()

	clientTLS, err := d.ClientTLS("admin")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: clientTLS}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if user != "admin" || len(groups) != 1 || groups[0] != "system:masters" {
		t.Errorf("the server saw user %q, groups %q", user, groups)
	}
}

func TestAClientCertificateCannotServe(t *testing.T) {
	d := Dir(t.TempDir())
	ensure(t, d, subjects, time.Now())
	cert, _, err := d.load("admin")
	if err != nil {
		t.Fatal(err)
	}
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageServerAuth {
			t.Error("the administrator's certificate may serve")
		}
	}
}

func TestEnsureKeepsWhatIsGood(t *testing.T) {
	d := Dir(t.TempDir())
	now := time.Now()
	ensure(t, d, subjects, now)
	files := []string{d.Cert("ca"), d.Key("ca"), d.Cert("server"), d.Key("admin"), d.Key("sa")}
	before := map[string]string{}
	for _, f := range files {
		before[f] = read(t, f)
	}
	ensure(t, d, subjects, now.Add(time.Hour))
	for _, f := range files {
		if read(t, f) != before[f] {
			t.Errorf("%s was made again", filepath.Base(f))
		}
	}
}

func TestEnsureReplaces(t *testing.T) {
	tests := []struct {
		name     string
		subjects []Subject
		after    time.Duration
		replaced map[string]bool
	}{
		{"what lacks a name", []Subject{{Name: "server", CommonName: "kube-apiserver", DNSNames: []string{"other"}}, subjects[1]},
			time.Hour, map[string]bool{"ca": false, "server": true, "admin": false}},
		{"what changed its group", []Subject{subjects[0], {Name: "admin", CommonName: "admin", Organization: "other"}},
			time.Hour, map[string]bool{"ca": false, "server": false, "admin": true}},
		{"all that expires", subjects, validity - renewBefore + time.Hour,
			map[string]bool{"ca": true, "server": true, "admin": true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Dir(t.TempDir())
			now := time.Now()
			ensure(t, d, subjects, now)
			before := map[string]string{}
			for name := range tt.replaced {
				before[name] = read(t, d.Cert(name))
			}
			ensure(t, d, tt.subjects, now.Add(tt.after))
			for name, want := range tt.replaced {
				if got := read(t, d.Cert(name)) != before[name]; got != want {
					t.Errorf("%s replaced: %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestKubeconfigIsPrivate(t *testing.T) {
	d := Dir(t.TempDir())
	ensure(t, d, subjects, time.Now())
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := d.Kubeconfig(path, "https://10.211.255.1:21443", "admin"); err != nil {
		t.Fatal(err)
	}
	if !json.Valid([]byte(read(t, path))) {
		t.Error("not valid JSON")
	}
	for _, file := range []string{path, d.Key("ca"), d.Key("admin"), d.Key("sa")} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(file), info.Mode())
		}
	}
}
