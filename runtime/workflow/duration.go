package workflow

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// duration is a length of time: fixed, or an expression that gives an ISO 8601 text.
type duration struct {
	fixed      time.Duration
	expression *expression
}

// evaluate returns the duration for data.
func (d *duration) evaluate(r *run, data any) (time.Duration, error) {
	if d.expression == nil {
		return d.fixed, nil
	}
	value, err := d.expression.evaluate(r, data)
	if err != nil {
		return 0, err
	}
	if text, ok := value.(string); ok {
		if fixed, ok := parseDuration(text); ok {
			return fixed, nil
		}
	}
	return 0, d.expression.failed("gives no duration: it must give an ISO 8601 text such as PT15S", nil)
}

// durationSyntax is an ISO 8601 duration of weeks, days and what is shorter. Years and
// months have no fixed length.
var durationSyntax = regexp.MustCompile(`^P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// parseDuration reads an ISO 8601 duration.
func parseDuration(text string) (time.Duration, bool) {
	parts := durationSyntax.FindStringSubmatch(text)
	if parts == nil || strings.HasSuffix(text, "T") || text == "P" {
		return 0, false
	}
	total := 0.0
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] != "" {
			n, _ := strconv.ParseFloat(parts[i+1], 64) // the syntax is a number's
			total += n * float64(unit)
		}
	}
	return clamp(total), true
}

// clamp makes a duration of nanoseconds that may be too many for one.
func clamp(nanoseconds float64) time.Duration {
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

var durationUnits = map[string]time.Duration{
	"days": 24 * time.Hour, "hours": time.Hour, "minutes": time.Minute, "seconds": time.Second, "milliseconds": time.Millisecond,
}

var durationFields = fieldSet{supported: []string{"days", "hours", "minutes", "seconds", "milliseconds"}}

// duration compiles a duration: an object of units, an ISO 8601 text, or an expression.
func (c *compiler) duration(at pointer, value any, s site) *duration {
	switch value := value.(type) {
	case string:
		if inner, ok := unwrap(value); ok {
			return &duration{expression: c.expression(at, inner, s)}
		}
		fixed, ok := parseDuration(strings.TrimSpace(value))
		if !ok {
			c.problem(at, "is not a duration: write {seconds: 15}, an ISO 8601 text such as PT15S or P1DT12H (years and months have no fixed length), or an expression that gives such a text")
		}
		return &duration{fixed: fixed}
	case map[string]any:
		c.fields(at, value, durationFields)
		if len(value) == 0 {
			c.problem(at, "is empty: name at least one unit, for example {seconds: 15}")
		}
		total := 0.0
		for unit, length := range durationUnits {
			number, present := value[unit]
			n, ok := number.(int)
			if present && (!ok || n < 0) {
				c.problem(at.child(unit), "must be a whole number, 0 or more")
			}
			total += float64(n) * float64(length)
		}
		return &duration{fixed: clamp(total)}
	}
	c.problem(at, "must be a duration, not %s: write {seconds: 15} or PT15S", kindOf(value))
	return nil
}

// timeout compiles the timeout of a workflow or task: the name of one of use.timeouts,
// or {after: DURATION}.
func (c *compiler) timeout(at pointer, parent map[string]any, s site) *duration {
	value, present := parent["timeout"]
	if !present {
		return nil
	}
	at = at.child("timeout")
	if name, ok := value.(string); ok {
		definition, found := c.named(at, "timeouts", name)
		if !found {
			return nil
		}
		at, value = useAt("timeouts", name), definition
	}
	timeout, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object or the name of one of use.timeouts, not %s: write {after: {seconds: 30}}", kindOf(value))
		return nil
	}
	c.fields(at, timeout, timeoutFields)
	after, present := timeout["after"]
	if !present {
		c.problem(at.child("after"), "is required")
		return nil
	}
	return c.duration(at.child("after"), after, s)
}
