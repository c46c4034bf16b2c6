package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func TestServer(t *testing.T) {
	for _, tls := range []bool{false, true} {
		s := Start(t, Options{TLS: tls, Users: map[string]string{"reader": "~* +get"}})
		s.Command("SET", "a", "1")
		if got := s.Command("MGET", "a", "b"); got != "1\n<nil>" {
			t.Errorf("MGET: %q", got)
		}
		s.SetPassword("reader", "old", "new")
		parsed, err := v1alpha1.ParseRedisURL([]byte(s.URL("reader")))
		if err != nil || parsed.Password != "new" || parsed.TLS != tls || parsed.Addresses[0] != s.Addr() {
			t.Errorf("the URL is not one that is understood: %v", err)
		}
		address := s.Addr()
		s.Stop()
		if _, err := s.command("PING"); err == nil {
			t.Error("a stopped server answers")
		}
		s.Restart()
		if got := s.Command("GET", "a"); got != "" || s.Addr() != address {
			t.Errorf("a server that was started again holds %q at %s", got, s.Addr())
		}
	}
}

func TestPause(t *testing.T) {
	s := Start(t, Options{})
	s.Pause()
	answered := make(chan error, 1)
	go func() {
		_, err := s.command("PING")
		answered <- err
	}()
	select {
	case err := <-answered:
		if err == nil {
			t.Error("a paused server answers")
		}
	case <-time.After(patience):
		t.Error("the command does not give up")
	}
	s.Resume()
	s.Command("PING")
}

func TestTopologies(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS=%v", tls), func(t *testing.T) {
			t.Parallel()
			s := StartSentinel(t, Topology{TLS: tls})
			s.Master.Kill()
			s.AwaitFailover()
			c := StartCluster(t, Topology{TLS: tls})
			if got := strings.Count(c.Nodes[2].Command("CLUSTER", "NODES"), "connected"); got != 3 {
				t.Errorf("%d of 3 nodes are connected", got)
			}
			for _, u := range []string{s.URL(""), c.URL("")} {
				if parsed, err := v1alpha1.ParseRedisURL([]byte(u)); err != nil || parsed.TLS != tls {
					t.Errorf("the URL is not one that is understood: %v", err)
				}
			}
		})
	}
}
