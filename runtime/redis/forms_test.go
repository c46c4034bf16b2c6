package redis

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// TestForms: each scheme of the URL, with users who may do the least that is needed.
func TestForms(t *testing.T) {
	for scheme, tls := range map[string]bool{"redis": false, "rediss": true} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			standalone(t, redistest.Options{TLS: tls, Users: map[string]string{"nexus": rules}})
		})
		t.Run(scheme+"+sentinel", func(t *testing.T) {
			t.Parallel()
			sentinel(t, redistest.Topology{TLS: tls, Users: map[string]string{"nexus": rules + " +role"}})
		})
		t.Run(scheme+"+cluster", func(t *testing.T) {
			t.Parallel()
			cluster(t, redistest.Topology{TLS: tls, Users: map[string]string{"nexus": rules + " +cluster|slots +cluster|shards"}})
		})
	}
}

// connect runs a client of a URL whose scheme is the test's name. With TLS it has another
// authority's certificate first, with which it must not connect.
func connect(t *testing.T, url, form string, ca func() []byte) *running {
	t.Helper()
	if scheme := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]; !strings.HasPrefix(url, scheme+"://") {
		t.Errorf("the URL is not one of the scheme %s", scheme)
	}
	s := newSecrets(t, url)
	var r *running
	if strings.HasPrefix(url, "rediss") {
		s.write("ca/ca.crt", string(redistest.NewCA(t)))
		r = run(t, s.options())
		r.awaitDown(TLS)
		s.write("ca/ca.crt", string(ca()))
	} else {
		r = run(t, s.options())
	}
	if h := r.awaitUp(); h.Form != form || h.Problem != "" || h.Stale != "" || h.Since.IsZero() {
		t.Errorf("%+v", h)
	}
	r.works()
	return r
}

func standalone(t *testing.T, o redistest.Options) {
	t.Helper()
	s := redistest.Start(t, o)
	connect(t, s.URL("nexus"), "Standalone", s.CA)
	if denied := s.Command("ACL", "LOG"); denied != "" {
		t.Errorf("the user needed more: %s", denied)
	}
}

func sentinel(t *testing.T, topology redistest.Topology) {
	t.Helper()
	s := redistest.StartSentinel(t, topology)
	s.Sentinel.Command(append([]string{"ACL", "SETUSER", "watcher", "on", ">secret"}, strings.Fields(sentinelRules)...)...)
	at, err := url.Parse(s.URL("nexus"))
	if err != nil {
		t.Fatal(err)
	}
	at.RawQuery = "sentinel_username=watcher&sentinel_password=secret"
	r := connect(t, at.String(), "Sentinel", s.CA)
	if denied := s.Sentinel.Command("ACL", "LOG") + s.Master.Command("ACL", "LOG"); denied != "" {
		t.Errorf("the users needed more: %s", denied)
	}
	s.Master.Kill()
	s.AwaitFailover()
	s.Sentinel.Await("calls reach the new master", func() bool { return r.call(time.Second) == nil })
}

func cluster(t *testing.T, topology redistest.Topology) {
	t.Helper()
	c := redistest.StartCluster(t, topology)
	r := connect(t, c.URL("nexus"), "Cluster", c.CA)
	for i := range 100 { // on all nodes
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		if _, err := r.Script(ctx, probe, []string{fmt.Sprintf("nexus:{%d}:x", i)}, nil); err != nil {
			t.Errorf("key %d: %v", i, err)
		}
		cancel()
	}
	for i, node := range c.Nodes {
		if keys := node.Command("KEYS", "nexus:*:x"); keys == "" {
			t.Errorf("node %d has no keys", i)
		}
		if denied := node.Command("ACL", "LOG"); denied != "" {
			t.Errorf("the user needed more: %s", denied)
		}
	}
}

func TestDatabase(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules + " +select"}})
	r := run(t, newSecrets(t, s.URL("nexus")+"/3").options())
	r.awaitUp()
	r.works()
}

// busy is a driver that does not come to a call until it is told so.
type busy struct {
	rueidis.Client
	free <-chan struct{}
}

func (b busy) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	<-b.free
	return b.Client.Do(ctx, command)
}

// TestClusterBusy: while the driver waits, no caller does so beyond the deadline, nor does
// the end of the link, and what is left to the driver is bounded.
func TestClusterBusy(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Topology{})
	r := run(t, newSecrets(t, c.URL("")).options())
	r.awaitUp()
	free := make(chan struct{})
	idle := r.current.Load()
	stuck := &link{client: busy{idle.client, free}, form: idle.form, life: idle.life, cut: idle.cut}
	r.current.Store(stuck)

	keys := []string{"nexus:{test}"}
	for range inFlight {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := r.Script(ctx, echo, keys, []string{"x"}); err == nil {
			t.Error("a call was answered by a driver that is busy")
		}
		cancel()
		keys[0] = "nexus:{other}" // they are the caller's again
		stuck.breaker.succeeded() // as by the calls to other nodes
	}
	if n := len(r.places); n != inFlight {
		t.Errorf("%d places are taken, want %d", n, inFlight)
	}
	if err := r.call(impatience); err == nil {
		t.Error("a call was answered without a place")
	}
	r.stop()
	close(free)
	c.Nodes[0].Await("all places are given back", func() bool { return len(r.places) == 0 })
}
