package wire

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// Limits writes what replies tell of rate limits, as structured fields
// (draft-ietf-httpapi-ratelimit-headers-11).
type Limits struct {
	// Policy is the value of RateLimit-Policy: every bucket.
	Policy string
	names  []string
}

// NewLimits returns the writer for calls that spend from these buckets.
func NewLimits(policies []*limit.Policy) Limits {
	var l Limits
	headers := make([]string, len(policies))
	for i, p := range policies {
		headers[i] = p.Header()
		l.names = append(l.names, `"`+p.Name+`"`)
	}
	l.Policy = strings.Join(headers, ", ")
	return l
}

// Left is the value of RateLimit, about the tightest bucket: what is left of it, and in how
// many seconds it is full again or, when it is spent, passes one request.
func (l Limits) Left(v *limit.Verdict) string {
	var space [128]byte
	b := append(space[:0], l.names[v.Tightest]...)
	b = strconv.AppendInt(append(b, ";r="...), v.Remaining, 10)
	b = strconv.AppendInt(append(b, ";t="...), WholeSeconds(v.Reset), 10)
	return string(b)
}

// WholeSeconds rounds up, and is never 0: a caller that comes back at once is refused at
// once.
func WholeSeconds(d time.Duration) int64 { return max(1, int64(math.Ceil(d.Seconds()))) }
