package execution

import (
	"context"
	"slices"
)

// held is an idempotency key. It has an end when it is settled.
type held struct {
	item
	claim  Claim
	answer []byte
}

// Begin implements Store.
func (m *Memory) Begin(_ context.Context, c Claim) (Attempt, error) {
	defer m.lock()()
	if h := m.claims[c.key]; h != nil {
		switch {
		case h.claim.fingerprint != c.fingerprint:
			return Attempt{State: Mismatch}, nil
		case h.place == nil:
			return Attempt{State: InFlight}, nil
		case h.answer == nil:
			return Attempt{State: NotKept}, nil
		}
		return Attempt{State: Replay, Answer: slices.Clone(h.answer)}, nil
	}
	h := &held{item: item{subject: c.key.Subject}, claim: c}
	if !m.roomForClaim(&h.item, claimCost+int64(len(c.key.Subject)+len(c.key.Workflow)+len(c.key.Key))) {
		return Attempt{}, errNoRoom
	}
	h.drop = func() { delete(m.claims, c.key) }
	h.shed = func() { m.forgo(h) }
	m.claims[c.key] = h
	return Attempt{State: Fresh}, nil
}

// roomForClaim is room, for which the subject's own oldest claims go when all else has.
func (m *Memory) roomForClaim(i *item, bytes int64) bool {
	if s := m.shares[i.subject]; s != nil && m.used-m.spare-s.bare+bytes <= m.max {
		for m.used-m.spare+bytes > m.max {
			m.remove(s.claims.Front().Value.(*item))
		}
	}
	return m.room(i, bytes)
}

// forgo gives up the answer to a call: that it was made is all that is kept.
func (m *Memory) forgo(h *held) {
	m.tighten(&h.item)
	s := m.shares[h.subject]
	s.bare -= h.spare
	h.size -= h.spare
	m.used -= h.spare
	h.answer, h.spare = nil, 0
}

// Settle implements Store. Without room the answer is not kept.
func (m *Memory) Settle(_ context.Context, c Claim, answer []byte) error {
	defer m.lock()()
	h := m.claims[c.key]
	if h == nil || h.claim.word != c.word || h.place != nil {
		return nil
	}
	bare := h.size
	if answer != nil && m.room(&h.item, int64(len(answer))) {
		h.answer = append([]byte{}, answer...)
	}
	s := m.shareOf(h.subject)
	h.bare = s.claims.PushBack(&h.item)
	s.bare += bare
	m.end(&h.item, int64(len(h.answer)))
	// They make no room for others, so nobody may fill the store with them.
	for s.bare > m.max/maxClaimed && s.claims.Len() > 1 {
		m.remove(s.claims.Front().Value.(*item))
	}
	return nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, c Claim) error {
	defer m.lock()()
	if h := m.claims[c.key]; h != nil && h.claim.word == c.word && h.place == nil {
		m.remove(&h.item)
	}
	return nil
}
