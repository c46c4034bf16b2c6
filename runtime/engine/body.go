package engine

import (
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
// reading. The cap and the budget hold while the body arrives. What was taken from the
// budget is given back when the call ends.
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
			return nil, overloaded("the request bodies in flight fill the memory set aside for them: try again shortly")
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			f := fault.New(fault.InvalidInput, "the body broke off, or did not arrive in time: send it again")
			f.Cause = err
			return nil, f
		}
	}
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
