package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// fail calls until the breaker is open, and returns what came before.
func (r *running) fail() []error {
	r.t.Helper()
	var failures []error
	for range 10 {
		err := r.call(impatience)
		if errors.Is(err, ErrUnavailable) {
			return failures
		}
		failures = append(failures, err)
	}
	r.t.Fatalf("the breaker does not open: %v", failures)
	return nil
}

// TestDownAndBack takes the server away, in each way, and brings it back.
func TestDownAndBack(t *testing.T) {
	for _, c := range []struct {
		name       string
		down, back func(*redistest.Server)
		problems   []Problem
	}{
		{"Killed", (*redistest.Server).Kill, (*redistest.Server).Restart, []Problem{Refused, Closed}},
		{"Stopped", (*redistest.Server).Stop, (*redistest.Server).Restart, []Problem{Refused, Closed}},
		{"Hung", (*redistest.Server).Pause, (*redistest.Server).Resume, []Problem{Timeout}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules}})
			r := run(t, newSecrets(t, server.URL("nexus")).options())
			r.awaitUp()
			for range 2 { // again and again
				c.down(server)
				for _, err := range r.fail() {
					known := false
					for _, p := range c.problems {
						known = known || errors.Is(err, p)
					}
					if !known {
						t.Errorf("a call failed by %v", err)
					}
				}
				r.await("down", func(h Health) bool { return !h.Up })
				shed := r.Counters().Shed
				if err := r.call(ample); !errors.Is(err, ErrUnavailable) {
					t.Errorf("a call while the breaker is open: %v", err)
				}
				if n := r.Counters(); n.Shed != shed+1 || n.Failures < threshold || n.Calls < n.Failures {
					t.Errorf("counted %+v after %d were shed", n, shed)
				}
				c.back(server)
				r.awaitUp()
				r.works()
			}
		})
	}
}

// TestIdleDown: without calls the probes find out.
func TestIdleDown(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	r := run(t, newSecrets(t, server.URL("")).options())
	r.awaitUp()
	server.Kill()
	r.awaitDown(Refused)
}

// TestHungUnderLoad: many more callers than the driver can queue, of whom none waits
// for the connection to be given up.
func TestHungUnderLoad(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	r := run(t, newSecrets(t, server.URL("")).options())
	r.awaitUp()
	server.Pause()
	link := r.current.Load()
	var callers sync.WaitGroup
	for range 4 << ringScale {
		callers.Go(func() {
			if err := r.call(impatience); !errors.Is(err, Timeout) && !errors.Is(err, ErrUnavailable) {
				t.Errorf("a call on a server that hangs: %v", err)
			}
		})
	}
	callers.Wait()
	if n := r.Counters(); n.Calls > threshold*inFlight+threshold+1 {
		t.Errorf("%d calls were sent to a server that hangs", n.Calls)
	}
	if r.current.Load() != link || !link.breaker.open() {
		t.Error("the breaker is not open")
	}
	server.Resume()
	r.await("down", func(h Health) bool { return !h.Up })
	r.awaitUp()
	r.works()
}

// TestStart: Redis need not be there, nor let us in, nor be of use.
func TestStart(t *testing.T) {
	t.Run("Absent", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		server.Kill()
		r := run(t, newSecrets(t, server.URL("")).options())
		if err := r.call(ample); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a call before Redis is there: %v", err)
		}
		r.awaitDown(Refused)
		server.Restart()
		r.awaitUp()
		r.works()
	})
	t.Run("Hung", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		server.Pause()
		r := run(t, newSecrets(t, server.URL("")).options())
		r.awaitDown(Timeout)
		server.Resume()
		r.awaitUp()
	})
	t.Run("Password", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules}})
		url := server.URL("nexus")
		server.SetPassword("nexus", "another")
		s := newSecrets(t, url)
		r := run(t, s.options())
		r.awaitDown(Auth)
		s.write("redis/url", server.URL("nexus"))
		r.awaitUp()
	})
	t.Run("Permission", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": strings.Replace(rules, "+set", "", 1)}})
		run(t, newSecrets(t, server.URL("nexus")).options()).awaitDown(Permission)
	})
	t.Run("NoSuchHost", func(t *testing.T) {
		run(t, newSecrets(t, "redis://redis.invalid").options()).awaitDown(DNS)
	})
}

// TestRefusals: answers that say that Redis cannot be used open the breaker like no
// answer does.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		problem       Problem
		spoil, repair []string
	}{
		{ReadOnly, []string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
		{Memory, []string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		{Permission, []string{"ACL", "SETUSER", "nexus", "-eval", "-evalsha"}, []string{"ACL", "SETUSER", "nexus", "+eval", "+evalsha"}},
	} {
		t.Run(string(c.problem), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules}, Config: []string{"maxmemory-policy noeviction"}})
			r := run(t, newSecrets(t, server.URL("nexus")).options())
			r.awaitUp()
			server.Command(c.spoil...)
			r.awaitDown(c.problem)
			if err := r.call(ample); !errors.Is(err, ErrUnavailable) {
				t.Errorf("a call: %v", err)
			}
			server.Command(c.repair...)
			r.awaitUp()
			r.works()
		})
	}
}

func TestBreaker(t *testing.T) {
	var b breaker
	fail := func() bool { return b.failed(b.begin()) }
	for range 10 { // what failed is forgotten with each success
		if first, second := fail(), fail(); first || second || b.open() || b.succeeded() {
			t.Fatal("it opened after two failures")
		}
	}
	began := b.begin()
	for range 10 { // at once
		if b.failed(began) {
			t.Fatal("calls that failed together opened it")
		}
	}
	if second, third, fourth := fail(), fail(), fail(); second || !third || !fourth {
		t.Fatal("it does not open with the third failure")
	}
	if !b.succeeded() || b.open() || b.succeeded() {
		t.Fatal("a success does not close it once")
	}
}

// TestGivingUpIsNoFailure: callers who end their calls do not open the breaker.
func TestGivingUpIsNoFailure(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	r := run(t, newSecrets(t, server.URL("")).options())
	r.awaitUp()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * threshold {
		if _, err := r.Script(ended, echo, []string{"nexus:{x}"}, []string{"x"}); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("a call of a caller who gave up: %v", err)
		}
	}
	r.works()
}

// TestNilAndFlush: nil is an answer, and scripts are sent again after SCRIPT FLUSH.
func TestNilAndFlush(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	r := run(t, newSecrets(t, server.URL("")).options())
	r.awaitUp()
	nothing := rueidis.NewLuaScript(`return false`)
	for range 2 * threshold {
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		if answer, err := r.Script(ctx, nothing, []string{"nexus:{x}"}, nil); err != nil || !answer.IsNil() {
			t.Errorf("nil: %v", err)
		}
		cancel()
		server.Command("SCRIPT", "FLUSH")
		r.works()
	}
}

// TestRunLeavesNothing: Run ends its goroutines and connections, whatever the server
// does.
func TestRunLeavesNothing(t *testing.T) {
	for name, before := range map[string]func(*redistest.Server){
		"Up": func(*redistest.Server) {}, "Hung": (*redistest.Server).Pause, "Down": (*redistest.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, redistest.Options{})
			r := run(t, newSecrets(t, server.URL("")).options())
			r.awaitUp()
			before(server)
			_ = r.call(impatience)
			r.stop()
			if err := r.call(ample); !errors.Is(err, ErrUnavailable) {
				t.Errorf("a call after Run: %v", err)
			}
			server.Resume()
			if name == "Down" {
				server.Restart()
			}
			server.Await("its goroutines are gone", func() bool {
				stacks := make([]byte, 1<<20)
				stacks = stacks[:runtime.Stack(stacks, true)]
				return !strings.Contains(string(stacks), "rueidis.(*pipe)") && !strings.Contains(string(stacks), "fsnotify")
			})
		})
	}
}

// TestProblemOf: kinds are found below what wraps them, and the driver's words, which
// hold addresses, are not passed on.
func TestProblemOf(t *testing.T) {
	for want, err := range map[Problem]error{
		Refused: fmt.Errorf("dial tcp 192.0.2.7:6379: connect: %w", syscall.ECONNREFUSED),
		Timeout: fmt.Errorf("192.0.2.7: %w", context.DeadlineExceeded),
		Closed:  rueidis.ErrClosing,
		Network: errors.New("192.0.2.7: something else"),
	} {
		if got := problemOf(err); got != want || strings.Contains(got.Error(), "192.0.2.7") {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

// TestIdleMemory: the connection is to cost the pod little.
func TestIdleMemory(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	before := heap()
	r := run(t, newSecrets(t, server.URL("")).options())
	r.awaitUp()
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the connection takes %d KiB", grown>>10)
	} else {
		t.Logf("the connection takes %d KiB", grown>>10)
	}
	r.works()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
