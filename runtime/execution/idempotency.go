package execution

import (
	"context"
	"slices"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

const (
	// MaxAnswer bounds the answers that are kept for idempotency keys, in bytes.
	MaxAnswer = 1280 << 10
	// maxKey bounds an idempotency key, in bytes.
	maxKey = 255
)

// IdempotencyKey is a key that a caller chose for a call of a workflow. Different subjects
// and workflows have nothing to do with each other.
type IdempotencyKey struct{ Subject, Workflow, Key string }

// CheckIdempotencyKey says what is wrong with a key as the caller wrote it: a *fault.Error.
func CheckIdempotencyKey(key string) error {
	visible := func(c byte) bool { return c > ' ' && c < 0x7f }
	if len(key) < 1 || len(key) > maxKey || slices.ContainsFunc([]byte(key), func(c byte) bool { return !visible(c) }) {
		return fault.New(fault.InvalidInput, "Idempotency-Key: write 1 to %d visible ASCII characters, such as a random UUID", maxKey)
	}
	return nil
}

// Claim is the right to answer the call with an idempotency key.
type Claim struct {
	key         IdempotencyKey
	fingerprint [32]byte
	// word tells this claim from a later one of the same call.
	word string
}

// AttemptState is what an idempotency key means for a call.
type AttemptState string

// The states.
const (
	// Fresh: make the call, and then Settle or Release the claim.
	Fresh AttemptState = "fresh"
	// InFlight: the same call is being made.
	InFlight AttemptState = "flight"
	// Mismatch: the key was used for another call.
	Mismatch AttemptState = "mismatch"
	// Replay: the call was made, and had this answer.
	Replay AttemptState = "replay"
	// NotKept: the call was made, or begun by a pod that ended meanwhile, and there is no
	// answer: it was too large, came too late, or never came.
	NotKept AttemptState = "lost"
)

// Attempt is what became of beginning a call.
type Attempt struct {
	State AttemptState
	// Answer is that of Replay.
	Answer []byte
	// Claim is that of Fresh.
	Claim Claim
}

// Begin begins a call that has an idempotency key. The fingerprint is a digest of all that
// makes it the same call. Without the store nobody knows whether the call was made, and the
// error is a *fault.Error with the code Overloaded.
func (m *Manager) Begin(ctx context.Context, key IdempotencyKey, fingerprint [32]byte) (Attempt, error) {
	if err := CheckIdempotencyKey(key.Key); err != nil {
		return Attempt{}, err
	}
	c := Claim{key: key, fingerprint: fingerprint, word: m.o.NewID()}
	attempt, err := m.o.Store.Begin(ctx, c)
	if err != nil {
		m.owe(&debt{kind: owedRelease, claim: c, doubtful: true}) // it may have come to pass all the same
		return Attempt{}, m.visible(err)
	}
	if attempt.State == Fresh {
		attempt.Claim = c
	}
	return attempt, nil
}

// Settle keeps the answer to a call that was made. When that cannot be done at once it is
// tried again for a minute; then only that the call was made is kept.
func (m *Manager) Settle(ctx context.Context, c Claim, answer []byte) {
	if len(answer) > MaxAnswer {
		answer = nil
	}
	if err := m.o.Store.Settle(ctx, c, answer); err != nil {
		m.owe(&debt{kind: owedSettle, claim: c, answer: answer})
	}
}

// Release gives up the claim of a call that was not made, so that it can be tried again.
func (m *Manager) Release(ctx context.Context, c Claim) {
	if err := m.o.Store.Release(ctx, c); err != nil {
		m.owe(&debt{kind: owedRelease, claim: c})
	}
}
