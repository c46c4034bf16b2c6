package execution

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// finish has an execution with an output of so many bytes come and go.
func (h harness) finish(t *testing.T, subject string, size int) Write {
	t.Helper()
	w := h.create(t, running(subject))
	w.end(`"`+string(bytes.Repeat([]byte("x"), size-2))+`"`, nil)
	h.update(t, w, Going)
	return w
}

func (h harness) settled(t *testing.T, subject, key string, answer []byte) {
	t.Helper()
	c := claim(subject, "pay", key, "a")
	h.begin(t, c, Fresh)
	h.settle(t, c, answer)
}

// TestMemoryKeepsClaims: whatever anybody else does, a call that was made is not made
// again. Its answer may go.
func TestMemoryKeepsClaims(t *testing.T) {
	m, h := openMemory(4 << 20)
	h.settled(t, "bob", "small", []byte("paid"))
	h.settled(t, "bob", "large", make([]byte, 1<<20))
	for range 5 {
		h.finish(t, "alice", MaxOutput)
	}
	h.begin(t, claim("bob", "pay", "small", "a"), Replay)
	// What runs takes room from everybody.
	for n := range 5 {
		w := h.create(t, running(fmt.Sprint("carol", n)))
		w.task(`"` + string(bytes.Repeat([]byte("x"), 900<<10)) + `"`)
		if _, err := m.Update(t.Context(), w); err != nil && !errors.Is(err, errNoRoom) {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"small", "large"} {
		h.begin(t, claim("bob", "pay", key, "a"), NotKept)
		h.begin(t, claim("bob", "pay", key, "b"), Mismatch)
	}
	m.audit(t)
}

// TestMemoryIsShared: who has much makes room before who has little.
func TestMemoryIsShared(t *testing.T) {
	m, h := openMemory(4 << 20)
	kept := []Write{h.finish(t, "bob", 100<<10)}
	for range 20 {
		h.finish(t, "alice", 495<<10)
	}
	for range 4 {
		kept = append(kept, h.finish(t, "bob", 100<<10))
	}
	for range 20 {
		h.finish(t, "alice", 495<<10)
	}
	for _, w := range kept {
		if x := h.get(t, w); len(x.Output) != 100<<10 {
			t.Errorf("an output has %d bytes", len(x.Output))
		}
	}
	if n := len(h.list(t, "alice", 100)); n < 5 || n > 7 {
		t.Errorf("%d of alice's are kept", n)
	}
	m.audit(t)
}

// TestMemoryClaimsAreBounded: claims of one subject leave room for others, and the oldest
// of its own make room for new ones.
func TestMemoryClaimsAreBounded(t *testing.T) {
	const bound = 256 << 10
	m, h := openMemory(bound)
	for n := range 500 {
		h.settled(t, "alice", fmt.Sprint(n), nil)
	}
	if bare := m.shares["alice"].bare; bare > bound/maxClaimed || bare < bound/maxClaimed-2*claimCost {
		t.Errorf("alice's take %d", bare)
	}
	h.begin(t, claim("alice", "pay", "499", "a"), NotKept)
	h.begin(t, claim("alice", "pay", "0", "a"), Fresh)
	h.settled(t, "bob", "k", nil)
	for { // of runs, until nothing is left to make room
		if err := m.Create(t.Context(), running("carol")); err != nil {
			break
		}
	}
	var err error
	for n := 0; err == nil && n < 4; n++ {
		_, err = m.Begin(t.Context(), claim("dave", "pay", fmt.Sprint(n), "a"))
	}
	if !errors.Is(err, errNoRoom) {
		t.Errorf("who has nothing to give: %v", err)
	}
	h.settled(t, "alice", "new", nil)
	h.begin(t, claim("bob", "pay", "k", "a"), NotKept)
	h.begin(t, claim("alice", "pay", "499", "a"), NotKept)
	m.audit(t)
}
