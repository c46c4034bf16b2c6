package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func openMemory(maxBytes int64) (*Memory, harness) {
	now := time.Now()
	var mu sync.Mutex
	m := NewMemory(maxBytes, retention, func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	return m, harness{
		Store: m, bound: func(n int) { m.bound = n },
		advance: func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) },
	}
}

func TestMemory(t *testing.T) {
	testStore(t, func(t *testing.T) harness {
		t.Helper()
		m, h := openMemory(64 << 20)
		t.Cleanup(func() {
			h.advance(retention)
			m.lock()()
			m.audit(t)
		})
		return h
	})
}

// audit compares what is counted with what is there.
func (m *Memory) audit(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var used, spare int64
	listed := 0
	for _, k := range m.runs {
		used += k.size
		if k.size != k.cost() {
			t.Errorf("an execution costs %d and is counted as %d", k.cost(), k.size)
		}
		if k.place != nil {
			spare += k.size
		}
	}
	for _, all := range m.subjects {
		listed += all.Len()
	}
	for _, h := range m.claims {
		used += h.size
		if h.place != nil {
			spare += int64(len(h.answer))
		}
	}
	var shares int64
	for subject, s := range m.shares {
		var bare int64
		for e := s.claims.Front(); e != nil; e = e.Next() {
			i := e.Value.(*item)
			bare += i.size - i.spare
		}
		if shares += s.spare; bare != s.bare || s.loose.Len()+s.claims.Len() == 0 {
			t.Errorf("the claims of %s take %d and are counted as %d", subject, bare, s.bare)
		}
	}
	if shares != m.spare {
		t.Errorf("subjects have %d to spare of %d", shares, m.spare)
	}
	if used != m.used || spare != m.spare || listed != len(m.runs) {
		t.Errorf("%d, %d spare, %d listed; counted are %d, %d, %d", used, spare, listed, m.used, m.spare, len(m.runs))
	}
}

// TestMemoryBytes: whatever is done, the memory is bounded, and no more goes than must.
func TestMemoryBytes(t *testing.T) {
	const bound = 128 << 10
	m, h := openMemory(bound)
	random := rand.New(rand.NewPCG(1, 2))
	var going []Write
	var pending []Claim
	refused := 0
	for range 20_000 {
		var err error
		switch random.IntN(6) {
		case 0:
			w := running("alice")
			if err = m.Create(t.Context(), w); err == nil {
				going = append(going, w)
			}
		case 1, 2:
			if len(going) > 0 {
				w := &going[random.IntN(len(going))]
				w.task(`"` + string(bytes.Repeat([]byte("x"), random.IntN(MaxEventData))) + `"`)
				_, err = m.Update(t.Context(), *w)
			}
		case 3:
			if len(going) > 0 {
				w := going[0]
				going = going[1:]
				w.end(`"`+string(bytes.Repeat([]byte("x"), random.IntN(bound/8)))+`"`, nil)
				if _, err = m.Update(t.Context(), w); errors.Is(err, errNoRoom) {
					f := failureLost
					w.Status, w.Output, w.Failure = Failed, nil, &f
					if _, bare := m.Update(t.Context(), w); bare != nil {
						t.Fatalf("an end that needs no room: %v", bare)
					}
				}
			}
		case 4:
			c := claim("alice", "quote", newID(), "a")
			if _, err = m.Begin(t.Context(), c); err == nil {
				pending = append(pending, c)
			}
		case 5:
			if len(pending) > 0 {
				h.settle(t, pending[0], make([]byte, random.IntN(bound/8)))
				pending = pending[1:]
			}
		}
		if errors.Is(err, errNoRoom) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
		// An end that tells no more than that it is one goes beyond, by what that takes.
		if m.used > bound+1024 {
			t.Fatalf("%d bytes are used", m.used)
		}
	}
	m.audit(t)
	if refused == 0 || m.ended.Len() == 0 || m.used < bound/2 {
		t.Errorf("%d were refused, %d have ended: nothing was tested", refused, m.ended.Len())
	}
}

// TestMemoryMakesRoom: what ended first goes first, what runs never, and a demand that
// cannot be met costs nobody anything.
func TestMemoryMakesRoom(t *testing.T) {
	m, h := openMemory(64 << 10)
	output := json.RawMessage(`"` + string(bytes.Repeat([]byte("x"), 20<<10)) + `"`)
	var all []Write
	for range 4 {
		w := h.create(t, running("alice"))
		all = append(all, w)
	}
	for _, i := range []int{1, 0, 2} {
		all[i].end(string(output), nil)
		if mark, err := m.Update(t.Context(), all[i]); err != nil || mark != Going {
			t.Fatal(mark, err)
		}
	}
	h.absent(t, "alice", all[1].ID)
	for _, i := range []int{0, 2, 3} {
		h.get(t, all[i])
	}
	all[3].end(`"`+string(bytes.Repeat([]byte("x"), 70<<10))+`"`, nil)
	if _, err := m.Update(t.Context(), all[3]); !errors.Is(err, errNoRoom) {
		t.Errorf("what is larger than all: %v", err)
	}
	for _, i := range []int{0, 2, 3} {
		h.get(t, all[i])
	}
	c := claim("alice", "quote", "k", "a")
	h.begin(t, c, Fresh)
	h.settle(t, c, make([]byte, 100<<10))
	h.begin(t, c, NotKept)
	m.audit(t)
}
