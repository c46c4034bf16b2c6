package redis

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// What users need at least, as the package's documentation says.
const (
	rules         = "~nexus:* +evalsha +eval +time +get +set +ping"
	sentinelRules = "&* +sentinel|sentinels +sentinel|get-master-addr-by-name +subscribe +unsubscribe +psubscribe +punsubscribe +ping"
)

// secrets is a directory of mounted Secrets.
type secrets struct {
	t   testing.TB
	dir string
}

func newSecrets(tb testing.TB, url string) secrets {
	tb.Helper()
	s := secrets{t: tb, dir: tb.TempDir()}
	s.write("redis/url", url)
	return s
}

// write replaces an entry, secret/key, at once.
func (s secrets) write(entry, value string) {
	s.t.Helper()
	path := filepath.Join(s.dir, entry)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

func (s secrets) options() Options {
	o := Options{SecretsDir: s.dir, URL: v1alpha1.SecretKeyReference{Name: "redis", Key: "url"}}
	if _, err := os.Stat(filepath.Join(s.dir, "ca")); err == nil {
		o.CA = &v1alpha1.SecretKeyReference{Name: "ca", Key: "ca.crt"}
	}
	return o
}

// running is a client whose Run goes on until the test ends.
type running struct {
	*Client
	t      testing.TB
	news   chan Health
	cancel context.CancelFunc
	done   chan struct{}
}

func run(tb testing.TB, o Options) *running {
	tb.Helper()
	r := &running{t: tb, news: make(chan Health, 1000), done: make(chan struct{})}
	o.Notify = func(h Health) { r.news <- h }
	var err error
	if r.Client, err = Open(o); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.Run(ctx)
	}()
	tb.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

// await waits for a health that is as wanted.
func (r *running) await(what string, wanted func(Health) bool) Health {
	r.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case h := <-r.news:
			if wanted(h) {
				return h
			}
		case <-timeout:
			r.t.Fatalf("it did not become %s; it is %+v", what, r.Health())
		}
	}
}

func (r *running) awaitUp() Health {
	r.t.Helper()
	return r.await("up", func(h Health) bool { return h.Up })
}

func (r *running) awaitDown(problem Problem) Health {
	r.t.Helper()
	return r.await("down: "+string(problem), func(h Health) bool { return !h.Up && h.Problem == string(problem) })
}

var echo = rueidis.NewLuaScript(`return ARGV[1]`)

// call runs a script with a deadline.
func (r *running) call(deadline time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	answer, err := r.Script(ctx, echo, []string{"nexus:{test}"}, []string{"hello"})
	if err != nil {
		return err
	}
	if text, err := answer.ToString(); err != nil || text != "hello" {
		return fmt.Errorf("it answered %q, %w", text, err)
	}
	return nil
}

const ample = 20 * time.Second // for calls that are not about time

func (r *running) works() {
	r.t.Helper()
	if err := r.call(ample); err != nil {
		r.t.Errorf("a call failed: %v", err)
	}
}

func TestOpen(t *testing.T) {
	const secret = "hunter2"
	for _, c := range []struct {
		name, url, ca string
		// noCA says that a CA is named and not there.
		noCA bool
		want string
	}{
		{name: "no URL", want: `spec.redis.urlSecretRef: the entry "url" of the Secret "redis" cannot be read: no such file or directory (looked in DIR/redis)`},
		{name: "no Redis URL", url: "http://u:hunter2@h", want: `spec.redis.urlSecretRef: the entry "url" of the Secret "redis": not a Redis URL: write`},
		{name: "no port", url: "redis://u:hunter2@h:x", want: `a host is missing or its port is no number`},
		{name: "no certificate", url: "rediss://u:hunter2@h", ca: "hunter2", want: `spec.redis.caSecretRef: the entry "ca.crt" of the Secret "ca" holds no PEM certificate`},
		{name: "CA without TLS", url: "redis://u:hunter2@h", ca: string(redistest.NewCA(t)), want: `spec.redis.caSecretRef: the URL is one without TLS, where no certificate is checked: write rediss://, or`},
		{name: "CA without TLS, Sentinels", url: "redis+sentinel://u:hunter2@h/m", ca: string(redistest.NewCA(t)), want: `write rediss+sentinel://, or`},
		{name: "CA without TLS, cluster", url: "redis+cluster://u:hunter2@h", ca: string(redistest.NewCA(t)), want: `write rediss+cluster://, or`},
		{name: "no CA", url: "rediss://u:hunter2@h", noCA: true, want: `spec.redis.caSecretRef: the entry "ca.crt" of the Secret "ca" cannot be read: no such file or directory (looked in DIR/ca)`},
		{name: "nobody there", url: "redis://u:hunter2@192.0.2.1"},
		{name: "with a CA", url: "rediss://u:hunter2@192.0.2.1", ca: string(redistest.NewCA(t))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := secrets{t: t, dir: t.TempDir()}
			if c.url != "" {
				s.write("redis/url", c.url)
			}
			if c.ca != "" {
				s.write("ca/ca.crt", c.ca)
			}
			o := s.options()
			if c.noCA {
				o.CA = &v1alpha1.SecretKeyReference{Name: "ca", Key: "ca.crt"}
			}
			client, err := Open(o)
			c.want = strings.Replace(c.want, "DIR", s.dir, 1)
			if c.want == "" {
				if err != nil || client.Health().Up || client.Health().Form != "Standalone" {
					t.Fatalf("%v, %+v", err, client)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	server := redistest.Start(t, redistest.Options{TLS: true, Users: map[string]string{"nexus": rules}})
	t.Run("CA", func(t *testing.T) {
		s := newSecrets(t, server.URL("nexus"))
		s.write("ca/ca.crt", string(server.CA()))
		r := run(t, s.options())
		r.awaitUp()
		r.works()
		s.write("ca/ca.crt", string(redistest.NewCA(t)))
		r.await("stale", func(h Health) bool { return h.Up && h.Stale == string(TLS) })
		r.works()
		s.write("ca/ca.crt", "not a certificate")
		r.await("stale", func(h Health) bool { return h.Up && h.Stale == string(Files) })
		r.works()
		s.write("ca/ca.crt", string(server.CA()))
		r.await("not stale", func(h Health) bool { return h.Up && h.Stale == "" })
		r.works()
	})
	t.Run("Roots", func(t *testing.T) {
		o := newSecrets(t, server.URL("nexus")).options()
		o.Roots = func() *x509.CertPool {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(server.CA())
			return pool
		}
		r := run(t, o)
		r.awaitUp()
		r.works()
	})
	t.Run("PlaintextURL", func(t *testing.T) {
		run(t, newSecrets(t, strings.Replace(server.URL("nexus"), "rediss:", "redis:", 1)).options()).awaitDown(Closed)
	})
}

// TestRotation changes the password under load, with the server first and with the
// files first; not one call may fail.
func TestRotation(t *testing.T) {
	for _, first := range []string{"Server", "Files"} {
		t.Run(first+"First", func(t *testing.T) {
			server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules}})
			old := server.Passwords("nexus")[0]
			s := newSecrets(t, server.URL("nexus"))
			next := strings.Replace(server.URL("nexus"), old, "a-new-one", 1)
			r := run(t, s.options())
			r.awaitUp()
			calls := r.load(8)
			switch first {
			case "Server":
				server.SetPassword("nexus", old, "a-new-one")
				s.write("redis/url", next)
				first := r.current.Load()
				server.Await("another link is in use", func() bool { return r.current.Load() != first })
				calls.more(1000)
			case "Files":
				s.write("redis/url", next)
				r.await("stale", func(h Health) bool { return h.Up && h.Stale == string(Auth) })
				server.SetPassword("nexus", old, "a-new-one")
				r.await("rotated", func(h Health) bool { return h.Up && h.Stale == "" })
			}
			server.SetPassword("nexus", "a-new-one")
			calls.more(1000)
			if n, failed := calls.stop(); failed != nil {
				t.Errorf("of %d calls one failed: %v", n, failed)
			}
		})
	}
}

// load is calls that go on.
type load struct {
	count  atomic.Int64
	failed atomic.Pointer[error]
	end    chan struct{}
	wg     sync.WaitGroup
}

func (r *running) load(callers int) *load {
	l := &load{end: make(chan struct{})}
	for range callers {
		l.wg.Go(func() {
			for {
				select {
				case <-l.end:
					return
				default:
				}
				if err := r.call(ample); err != nil {
					l.failed.CompareAndSwap(nil, &err)
				}
				l.count.Add(1)
			}
		})
	}
	l.more(100)
	return l
}

// more waits for n further calls.
func (l *load) more(n int64) {
	for end := l.count.Load() + n; l.count.Load() < end; {
		runtime.Gosched()
	}
}

func (l *load) stop() (int64, error) {
	close(l.end)
	l.wg.Wait()
	if err := l.failed.Load(); err != nil {
		return l.count.Load(), *err
	}
	return l.count.Load(), nil
}
