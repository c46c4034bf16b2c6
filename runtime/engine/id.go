package engine

import (
	"crypto/rand"
	"encoding/hex"
)

// NewID returns 128 random bits in hexadecimal, for a run or a request.
func NewID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: the program ends if the system has no random numbers
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
