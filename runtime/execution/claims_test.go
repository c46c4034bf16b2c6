package execution

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"
)

func claim(subject, workflow, key, body string) Claim {
	return Claim{key: IdempotencyKey{subject, workflow, key}, fingerprint: sha256.Sum256([]byte(body)), word: newID()}
}

func (h harness) begin(t *testing.T, c Claim, want AttemptState) []byte {
	t.Helper()
	a, err := h.Begin(t.Context(), c)
	if err != nil || a.State != want {
		t.Fatalf("%s, %v; want %s", a.State, err, want)
	}
	return a.Answer
}

func (h harness) settle(t *testing.T, c Claim, answer []byte) {
	t.Helper()
	if err := h.Settle(t.Context(), c, answer); err != nil {
		t.Fatal(err)
	}
}

func (h harness) release(t *testing.T, c Claim) {
	t.Helper()
	if err := h.Release(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func testClaims(t *testing.T, h harness) {
	again := func(body string) Claim { return claim("alice", "quote", "k1", body) }
	first := again("a")
	h.begin(t, first, Fresh)
	h.begin(t, again("a"), InFlight)
	h.begin(t, again("b"), Mismatch)
	h.release(t, again("a")) // not theirs
	h.begin(t, again("a"), InFlight)
	h.release(t, first)
	second := again("b")
	h.begin(t, second, Fresh)
	h.settle(t, first, []byte("of nobody's"))
	h.begin(t, again("b"), InFlight)
	answer := []byte("1\n{\"total\": 1}\n\x00")
	h.settle(t, second, answer)
	for range 2 {
		if got := h.begin(t, again("b"), Replay); !bytes.Equal(got, answer) {
			t.Errorf("the answer is %q", got)
		}
		h.begin(t, again("a"), Mismatch)
		h.release(t, second)
		h.settle(t, second, []byte("another"))
	}

	empty := claim("alice", "quote", "k2", "a")
	h.begin(t, empty, Fresh)
	h.settle(t, empty, []byte{})
	if got := h.begin(t, claim("alice", "quote", "k2", "a"), Replay); len(got) != 0 {
		t.Errorf("the answer is %q", got)
	}
	large := claim("alice", "quote", "k3", "a")
	h.begin(t, large, Fresh)
	h.settle(t, large, bytes.Repeat([]byte{0xff}, MaxAnswer))
	if got := h.begin(t, claim("alice", "quote", "k3", "a"), Replay); len(got) != MaxAnswer {
		t.Errorf("the answer has %d bytes", len(got))
	}
	lost := claim("alice", "quote", "k4", "a")
	h.begin(t, lost, Fresh)
	h.settle(t, lost, nil)
	h.begin(t, claim("alice", "quote", "k4", "a"), NotKept)
	h.begin(t, claim("alice", "quote", "k4", "b"), Mismatch)
}

func testClaimsAreApart(t *testing.T, h harness) {
	for _, c := range []Claim{
		claim("alice", "quote", "k", "a"), claim("bob", "quote", "k", "a"), claim("alice", "order", "k", "a"),
		claim("alice", "quote", "K", "a"), claim("", "quote", "k", "a"), claim("alicequote", "", "k", "a"), claim("alice", "quotek", "", "a"),
	} {
		h.begin(t, c, Fresh)
	}
}

func testClaimRetention(t *testing.T, h harness) {
	c := claim("alice", "quote", "k", "a")
	h.begin(t, c, Fresh)
	h.advance(retention / 2)
	h.settle(t, c, []byte("x"))
	h.advance(retention - time.Second)
	h.begin(t, claim("alice", "quote", "k", "a"), Replay)
	h.advance(2 * time.Second)
	h.begin(t, claim("alice", "quote", "k", "b"), Fresh)
}

// testLateSettle: somebody else took over.
func testLateSettle(t *testing.T, h harness) {
	first, second := claim("alice", "quote", "k", "a"), claim("alice", "quote", "k", "a")
	h.begin(t, first, Fresh)
	h.release(t, first)
	h.begin(t, second, Fresh)
	h.settle(t, first, []byte("first"))
	h.begin(t, first, InFlight)
	h.settle(t, second, []byte("second"))
	h.settle(t, first, []byte("first"))
	if got := h.begin(t, first, Replay); string(got) != "second" {
		t.Errorf("the answer is %q", got)
	}
}
