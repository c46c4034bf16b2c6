package wire

import (
	"io"
	"net/http"
	"time"
)

// leftToServer is what net/http reads by itself of a body that a handler left; beyond that
// it closes the connection, and the caller may see a reset instead of the reply.
const leftToServer = 256 << 10

// lingerTime is how long a caller that was refused may go on sending.
const lingerTime = 2 * time.Second

// LargeBody says whether a request may have more of a body than the server throws away by
// itself. Who refuses such a request says that the connection ends with the reply, writes
// it whole, and then lingers.
func LargeBody(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > leftToServer }

// Linger throws away what a refused caller goes on sending, so that it reads why it was
// refused; for a short time, and at most that many bytes. The connection ends here in any
// case.
func Linger(w http.ResponseWriter, r *http.Request, most int64) {
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, most)
}
