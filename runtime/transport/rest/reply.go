package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// write sends a reply.
func (x *exchange) write(status int, contentType []string, body []byte) {
	x.wrote = true
	header := x.w.Header()
	header["Content-Type"] = contentType
	// Without it, net/http sends what does not fit its buffer in chunks, and HEAD tells
	// no length.
	if len(body) > smallReply || x.r.Method == http.MethodHead {
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the caller may have gone away; nobody is left to tell
	}
}

// afford takes a large reply from the budget for bodies, in place of the one before: its
// reader may take long to read it.
func (x *exchange) afford(body []byte) error {
	x.give()
	if len(body) <= maxKept {
		return nil
	}
	if err := x.handler.engine.HoldReply(int64(len(body))); err != nil {
		return err
	}
	x.held = int64(len(body))
	return nil
}

// give gives back what afford took.
func (x *exchange) give() {
	if x.held > 0 {
		x.handler.engine.ReturnReply(x.held)
		x.held = 0
	}
}

// smallReply is below what net/http buffers, and finds the length of by itself.
const smallReply = 1 << 10

// setRateLimit tells about the tightest bucket.
func (x *exchange) setRateLimit() {
	if !x.call.Limited || x.entry.workflow == nil {
		return
	}
	header := x.w.Header()
	header["Ratelimit-Policy"] = x.entry.policyHeader
	x.limitHeader[0] = x.entry.limits.Left(&x.call.Verdict)
	header["Ratelimit"] = x.limitHeader[:]
}

// writeRun sends the outcome of a run in its envelope. The envelope's order is fixed
// and it is put together around the output.
func (x *exchange) writeRun() error {
	b := jsontext.Append(append(x.out[:0], `{"outputs":`...), x.call.Output)
	b = append(b, `,"execution_time":`...)
	b = strconv.AppendFloat(b, x.call.Took.Round(time.Microsecond).Seconds(), 'f', -1, 64)
	b = append(b, x.entry.tail...)
	b = append(append(b, x.call.RunID...), `","status":"completed"}`+"\n"...)
	return x.sendOutput(b)
}

// writeOutput sends the output of a run by itself.
func (x *exchange) writeOutput() error {
	return x.sendOutput(append(jsontext.Append(x.out[:0], x.call.Output), '\n'))
}

func (x *exchange) sendOutput(body []byte) error {
	// A value takes more than its text, which from now on is all that is needed.
	x.out, x.call.Output = body, nil
	if err := x.afford(body); err != nil {
		return err
	}
	x.setRateLimit()
	x.setReplayed()
	x.write(http.StatusOK, jsonType, body)
	return nil
}
