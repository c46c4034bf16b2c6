package engine

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

const idBytes = 16

// reserve holds random bytes for the next ids: asking the system for each of them
// costs more than the rest of a refusal.
type reserve struct {
	bytes [32 * idBytes]byte
	used  int
}

var reserves = sync.Pool{New: func() any { return &reserve{used: 32 * idBytes} }}

// NewID returns 128 random bits in hexadecimal, for a run or a request.
func NewID() string {
	r, _ := reserves.Get().(*reserve)
	if r.used == len(r.bytes) {
		_, _ = rand.Read(r.bytes[:]) // never fails: the program ends if the system has no random numbers
		r.used = 0
	}
	var text [2 * idBytes]byte
	hex.Encode(text[:], r.bytes[r.used:r.used+idBytes])
	r.used += idBytes
	reserves.Put(r)
	return string(text[:])
}
