package execution

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// TestRedis also has a user who may do no more than limits need, and every key expire.
func TestRedis(t *testing.T) {
	server := redistest.Start(t, redistest.Options{Users: map[string]string{"nexus": rules}})
	c := redisclient.Connect(t, server.URL("nexus"))
	testStore(t, func(t *testing.T) harness {
		t.Helper()
		p := newPods(server)
		t.Cleanup(func() {
			for key := range strings.SplitSeq(server.Command("KEYS", "*"), "\n") {
				if ttl, err := strconv.Atoi(server.Command("PTTL", key)); err != nil || ttl == -1 || ttl > int((claimed+retention).Milliseconds()) {
					t.Errorf("%s expires in %d ms, %v", key, ttl, err)
				}
			}
			server.Command("FLUSHALL")
		})
		return p.harness(p.open(confined{c, t}))
	})
	if denied := server.Command("ACL", "LOG"); denied != "" {
		t.Errorf("the user needed more: %s", denied)
	}
}

func TestRedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, redistest.Topology{})
	c := redisclient.Connect(t, cluster.URL(""))
	for range 8 { // apps, on all nodes
		p := newPods(cluster.Nodes[0])
		h := p.harness(p.open(confined{c, t}))
		for _, test := range []func(*testing.T, harness){testLife, testCancel, testBeat, testClaims, testMissing} {
			test(t, h)
		}
	}
}

// TestRedisLearnsNothing: no name of who calls what is in a key, and none of who is in a
// value.
func TestRedisLearnsNothing(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	h := newPods(server).harness(NewRedis(redisclient.Connect(t, server.URL("")), "team-a", "shop", newID(), retention))
	w := h.create(t, running("key|alice"))
	w.task(`{}`)
	w.end(`1`, nil)
	h.update(t, w, Going)
	c := claim("key|alice", "quote-order", "secret-key", "a")
	h.begin(t, c, Fresh)
	h.settle(t, c, []byte("x"))
	n := 0
	for key := range strings.SplitSeq(server.Command("KEYS", "*"), "\n") {
		if key == "nexus:{probe}" {
			continue
		}
		n++
		for _, word := range []string{"alice", "team-a", "shop", "secret-key", "quote"} {
			if strings.Contains(key, word) || word != "quote" && strings.Contains(server.Command("GET", key), word) {
				t.Errorf("%s holds %s: %s", key, word, server.Command("GET", key))
			}
		}
	}
	if n != 6 { // pods, index, record, output, chunk, claim
		t.Errorf("there are %d keys", n)
	}
}

// TestRedisForeignValues: what another version wrote, or nobody, is neither believed nor
// overwritten.
func TestRedisForeignValues(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	r := p.open(redisclient.Connect(t, p.server.URL("")))
	h := p.harness(r)
	w := h.create(t, running("alice"))
	w.task(`{}`)
	done := w
	done.end(`1`, nil)
	other := h.create(t, running("alice"))
	record, output, chunk := r.recordKey(Ref{"alice", w.ID}), r.outputKey(Ref{"alice", w.ID}), r.chunkKey(Ref{"alice", w.ID}, 0)
	for _, value := range []string{"2R0abc 0 1\n{}", "x", "1R0" + newID() + " 0 1\n{\"unknown\":1}", "1R0" + newID() + " 0 1\n" + strings.Repeat(" ", maxDescription) + "{}"} {
		p.server.Command("SET", record, value)
		if x, err := r.Get(t.Context(), "alice", w.ID); !errors.Is(err, errFormat) {
			t.Errorf("%.20q is %+v, %v", value, x, err)
		}
		if got := h.list(t, "alice", 10); !slices.Equal(got, []string{other.ID}) { // it hides no other
			t.Errorf("%.20q leaves %v", value, got)
		}
		if x, events, err := r.Events(t.Context(), "alice", w.ID, 0); !errors.Is(err, errFormat) {
			t.Errorf("%.20q is %+v, %v, %v", value, x, events, err)
		}
	}
	p.server.Command("SET", record, "2R0abc 0 1\n{}")
	h.update(t, w, Settled)
	if marks, err := r.Beat(t.Context(), []Ref{{"alice", w.ID}}); err != nil || marks[0] != Settled {
		t.Errorf("%v, %v", marks, err)
	}
	p.server.Command("SET", record, "")
	h.update(t, done, Going)
	for _, value := range []string{"", "2{}", "1{", "1{} {}", "1\"" + strings.Repeat("x", MaxOutput) + "\""} {
		p.server.Command("SET", output, value)
		if x, err := r.Get(t.Context(), "alice", w.ID); !errors.Is(err, errFormat) {
			t.Errorf("%.20q is %+v, %v", value, x, err)
		}
	}
	for _, value := range []string{"2[]", "1[", `1[{"i":2,"t":"task","at":0},{"i":2,"t":"task","at":0}]`, `1[{"i":0,"t":"task","at":0}]`, `1[{"i":1,"t":"task","at":0,"x":1}]`, "1" + strings.Repeat(" ", maxChunk) + "[]"} {
		p.server.Command("SET", chunk, value)
		if _, events, err := r.Events(t.Context(), "alice", w.ID, 0); !errors.Is(err, errFormat) {
			t.Errorf("%.20q is %+v, %v", value, events, err)
		}
	}
	c := claim("alice", "quote", "k", "a")
	for _, value := range []string{"2P", "1Q00", "1P00", "1D" + strings.Repeat("0", 64) + "\n" + strings.Repeat("x", MaxAnswer+1)} {
		p.server.Command("SET", r.claimKeys(c)[1], value)
		c.fingerprint = [32]byte{}
		if a, err := r.Begin(t.Context(), c); !errors.Is(err, errFormat) {
			t.Errorf("%.20q is %+v, %v", value, a, err)
		}
	}
	p.server.Command("SET", r.indexKey("alice"), "1800000000000;x")
	if list, err := r.List(t.Context(), "alice", 1); !errors.Is(err, errFormat) {
		t.Errorf("an index: %+v, %v", list, err)
	}
}

// TestRedisLosesEvents: what is left of the events is read.
func TestRedisLosesEvents(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	r := p.open(redisclient.Connect(t, p.server.URL("")))
	h := p.harness(r)
	w := h.create(t, running("alice"))
	for w.LastEvent < 4*chunkEvents {
		w.task("")
	}
	w.end(`1`, nil)
	h.update(t, w, Going)
	for _, n := range []int{1, 2} {
		p.server.Command("DEL", r.chunkKey(Ref{"alice", w.ID}, n))
	}
	for _, after := range []int{chunkEvents - 1, chunkEvents, 2*chunkEvents + 3} {
		got := ids(h.read(t, w, after))
		want := span(3*chunkEvents+1, w.LastEvent)
		if after < chunkEvents {
			want = append(span(after+1, chunkEvents), want...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %d: %v", after, got)
		}
	}
	p.server.Command("DEL", r.chunkKey(Ref{"alice", w.ID}, 3), r.chunkKey(Ref{"alice", w.ID}, 4))
	if got := h.read(t, w, chunkEvents); got != nil {
		t.Errorf("of none are left: %v", got)
	}
}

// TestRedisUnreachable: without Redis every operation fails soon, and says nothing of it.
func TestRedisUnreachable(t *testing.T) {
	for name, away := range map[string]func(*redistest.Server){"Killed": (*redistest.Server).Kill, "Hung": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, redistest.Options{})
			c := redisclient.Connect(t, server.URL(""))
			r := NewRedis(c, "team-a", "shop", newID(), retention)
			away(server)
			ctx, w, k := t.Context(), running("alice"), claim("alice", "quote", "k", "a")
			for operation, err := range map[string]error{
				"Create": r.Create(ctx, w), "Forget": r.Forget(ctx, "alice", w.ID), "Settle": r.Settle(ctx, k, nil), "Release": r.Release(ctx, k),
				"Update": second(r.Update(ctx, w)), "Get": second(r.Get(ctx, "alice", w.ID)), "List": second(r.List(ctx, "alice", 1)),
				"Cancel": second(r.Cancel(ctx, "alice", w.ID)), "Beat": second(r.Beat(ctx, nil)), "Begin": second(r.Begin(ctx, k)),
			} {
				if err == nil || strings.Contains(err.Error(), "127.0.0.1") {
					t.Errorf("%s: %v", operation, err)
				}
			}
		})
	}
}

// stuck is a driver that does not come to a call until it is told so, whatever its deadline.
type stuck struct{ free chan struct{} }

func (s stuck) Script(context.Context, *rueidis.Lua, []string, []string) (rueidis.RedisMessage, error) {
	<-s.free
	return rueidis.RedisMessage{}, errAway
}

// TestRedisStuck: nobody waits for a driver that does not keep deadlines, and what may be
// large is not left to it without end.
func TestRedisStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stuck{make(chan struct{})}
		r := NewRedis(s, "team-a", "shop", newID(), retention)
		for range 2 * bulky {
			began := time.Now()
			if _, err := r.Get(t.Context(), "alice", newID()); err == nil || time.Since(began) != patience {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		if n := len(r.bulk); n != bulky {
			t.Errorf("%d are under way", n)
		}
		close(s.free)
		synctest.Wait()
		if n := len(r.bulk); n != 0 {
			t.Errorf("%d are under way", n)
		}
	})
}

func second[T any](_ T, err error) error { return err }
