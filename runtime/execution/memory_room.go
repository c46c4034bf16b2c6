package execution

import (
	"container/list"
	"time"
)

// maxClaimed is the part of a Memory that the settled claims of one subject may take: one
// in so many.
const maxClaimed = 4

// item is what takes room.
type item struct {
	subject string
	// size is all that it takes, and spare what of it makes room for anybody once it has
	// ended: all of an execution, and of a claim its answer.
	size, spare int64
	end         time.Time
	// place is its place among the ended, nil before. The others are its places among those
	// of the subject that have something to spare, and among its claims.
	place, loose, bare *list.Element
	// shed gives up what there is to spare, and drop takes it out of the store.
	shed, drop func()
}

// share is what the ended of a subject take.
type share struct {
	// spare is the size of what makes room for anybody, and bare that of the rest, which
	// makes room for further claims of the subject alone.
	spare, bare int64
	// loose has the items with something to spare, and claims those that are idempotency
	// keys, both as *item and in the order of their ends.
	loose, claims list.List
}

func (m *Memory) shareOf(subject string) *share {
	s := m.shares[subject]
	if s == nil {
		s = &share{}
		m.shares[subject] = s
	}
	return s
}

// lock is held by every operation, which never sees what has expired.
func (m *Memory) lock() (unlock func()) {
	m.mu.Lock()
	for front := m.ended.Front(); front != nil; front = m.ended.Front() {
		i := front.Value.(*item)
		if m.now().Sub(i.end) < m.retention {
			break
		}
		m.remove(i)
	}
	return m.mu.Unlock
}

// room takes so many bytes for what has not ended, and has what ended go to get them.
func (m *Memory) room(i *item, bytes int64) bool {
	if m.used-m.spare+bytes > m.max {
		return false
	}
	m.take(i, bytes)
	return true
}

// take is room for what must have it.
func (m *Memory) take(i *item, bytes int64) {
	for m.used+bytes > m.max && m.spare > 0 {
		m.yield(i.subject)
	}
	i.size += bytes
	m.used += bytes
}

// yield makes some room for a subject, of outputs and answers alone. Who has more of them
// than most loses its own oldest, else it is whoever has the most. That a call was made is
// not forgotten for anybody's sake: it would be made twice.
func (m *Memory) yield(subject string) {
	from := m.shares[subject]
	if from == nil || from.spare*int64(len(m.shares)) < m.spare {
		for _, other := range m.shares {
			if from == nil || other.spare > from.spare {
				from = other
			}
		}
	}
	from.loose.Front().Value.(*item).shed()
}

// remove takes an item out of the store.
func (m *Memory) remove(i *item) {
	m.tighten(i)
	m.used -= i.size
	if i.place != nil {
		m.ended.Remove(i.place)
	}
	if i.bare != nil {
		s := m.shares[i.subject]
		s.claims.Remove(i.bare)
		s.bare -= i.size
		m.tidy(i.subject, s)
	}
	i.drop()
}

// tighten takes it from those that have something to spare. It keeps its size.
func (m *Memory) tighten(i *item) {
	if i.loose == nil {
		return
	}
	s := m.shares[i.subject]
	s.loose.Remove(i.loose)
	m.spare -= i.spare
	s.spare -= i.spare
	i.loose = nil
	if i.bare != nil {
		s.bare += i.spare
	}
	m.tidy(i.subject, s)
}

func (m *Memory) tidy(subject string, s *share) {
	if s.loose.Len() == 0 && s.claims.Len() == 0 {
		delete(m.shares, subject)
	}
}

// end begins the retention of an item that has so much to spare.
func (m *Memory) end(i *item, spare int64) {
	i.end = m.now()
	i.place = m.ended.PushBack(i)
	if spare == 0 {
		return
	}
	s := m.shareOf(i.subject)
	i.spare, i.loose = spare, s.loose.PushBack(i)
	m.spare += spare
	s.spare += spare
}
