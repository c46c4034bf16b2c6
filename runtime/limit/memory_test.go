package limit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func address(i int) Caller {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return Caller{Addr: netip.AddrFrom4(b)}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Now()
	m := NewMemory(now)
	m.bound = 8
	p := NewPolicy("app", 60, 1)
	for i := range 10_000 {
		if v, _ := m.Take(t.Context(), now, address(i), []*Policy{p}); !v.Allowed {
			t.Fatalf("caller %d is new and was refused", i)
		}
	}
	for i := range m.shards {
		if n := len(m.shards[i].buckets); n > m.bound {
			t.Errorf("shard %d holds %d buckets, at most %d fit", i, n, m.bound)
		}
	}
}

// TestMemoryEvictsIdleBuckets: a spent bucket survives as long as there is an idle one
// to evict instead.
func TestMemoryEvictsIdleBuckets(t *testing.T) {
	start := time.Now()
	m := NewMemory(start)
	m.bound = sample
	slow, fast := NewPolicy("slow", 1, 1), NewPolicy("fast", 1_000_000, 1)
	spent := address(1)
	_, _ = m.Take(t.Context(), start, spent, []*Policy{slow})
	for i := range 20_000 {
		now := start.Add(time.Duration(i) * time.Millisecond)
		_, _ = m.Take(t.Context(), now, address(i+2), []*Policy{fast})
	}
	if v, _ := m.Take(t.Context(), start.Add(21*time.Second), spent, []*Policy{slow}); v.Allowed {
		t.Error("a spent bucket was evicted while idle ones were there")
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	now := time.Now()
	m := NewMemory(now)
	policies := []*Policy{NewPolicy("app", 1_000_000, 1_000_000), NewPolicy("workflow/x", 1_000_000, 5)}
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Take(t.Context(), now, alice, policies) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	now := time.Now()
	m := NewMemory(now)
	policies := []*Policy{NewPolicy("app", 1_000_000, 1_000_000), NewPolicy("workflow/x", 1_000_000, 1_000_000)}
	for name, n := range map[string]int{"one": 1, "two": 2} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				_, _ = m.Take(b.Context(), now, alice, policies[:n])
			}
		})
	}
}
