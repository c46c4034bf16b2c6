package engine

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// firstRead is the size of a buffer before anything is known to arrive. A caller that
// announces a large body and sends nothing costs no more than that.
const firstRead = 64 << 10

// ReadBody reads a request body into buf's space and returns it; the result is valid
// as long as buf may not be used for something else. declared is the length that the
// caller announced, negative when unknown: one beyond the cap is refused without
// reading. The cap and the budget hold while the body arrives, and the budget for what it
// takes once it is decoded. What was taken is given back when the call ends.
func (e *Engine) ReadBody(c *Call, body io.Reader, declared int64, buf []byte) ([]byte, error) {
	most := e.rules.MaxBytes()
	if declared > most {
		return nil, e.tooLarge()
	}
	if declared < 0 {
		declared = most
	}
	// One byte more than may arrive shows that more did.
	buf = slices.Grow(buf[:0], int(min(declared, firstRead)+1))
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, int(min(int64(len(buf)), most+1-int64(len(buf)))))
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > most {
			return nil, e.tooLarge()
		}
		if n > 0 && !e.hold(c, int64(n)) {
			return nil, bodiesInFlight()
		}
		if errors.Is(err, io.EOF) {
			return buf, e.holdValues(c, buf)
		}
		if err != nil {
			f := fault.New(fault.InvalidInput, "the body broke off, or did not arrive in time: send it again")
			f.Cause = err
			return nil, f
		}
	}
}

// What values take in memory beside their text, in bytes: about, and rather too much.
const (
	objectBytes = 320
	arrayBytes  = 48
	memberBytes = 48
)

// fewBytes is a body whose values are not counted: as many as may run at once take little.
const fewBytes = 4 << 10

// holdValues counts what a body takes once it is decoded. A few bytes of it can take a
// hundred times as much.
func (e *Engine) holdValues(c *Call, body []byte) error {
	if len(body) <= fewBytes {
		return nil
	}
	count := func(character string) int64 { return int64(bytes.Count(body, []byte(character))) }
	size := objectBytes*count("{") + arrayBytes*count("[") + memberBytes*count(",")
	switch {
	case size+int64(len(body)) > e.budget:
		f := fault.New(fault.BodyTooLarge, "the body has more objects, lists and values than the memory that is set aside for bodies holds: send fewer at once, or raise the memory limit in spec.resources")
		f.Violations = []fault.Violation{{Rule: RuleBodyTooLarge, Message: "has too many values"}}
		return f
	case !e.hold(c, size):
		return bodiesInFlight()
	}
	return nil
}

func bodiesInFlight() error {
	return overloaded("the bodies in flight fill the memory set aside for them: try again shortly")
}

func (e *Engine) hold(c *Call, n int64) bool {
	if !e.Bodies.Take(n) {
		return false
	}
	c.held += n
	return true
}

func (e *Engine) tooLarge() error {
	f := fault.New(fault.BodyTooLarge, "the body has more than %d bytes, the most that this app takes: send less, or raise spec.input.maxBytes", e.rules.MaxBytes())
	f.Violations = []fault.Violation{{Rule: RuleBodyTooLarge, Message: "is too large"}}
	return f
}

// HoldReply takes from the budget what a reply takes until it is sent, which is for its
// reader to say; ReturnReply gives it back. The error is a *fault.Error.
func (e *Engine) HoldReply(bytes int64) error {
	if !e.Bodies.Take(bytes) {
		return bodiesInFlight()
	}
	return nil
}

// ReturnReply gives back what HoldReply took.
func (e *Engine) ReturnReply(bytes int64) { e.Bodies.Return(bytes) }
