package workflow

import (
	"math"
	"time"
)

// maxAttempts is how often a try task may be tried again.
const maxAttempts = 10

// backoff is how the delay grows.
type backoff string

const (
	constant    backoff = "constant"
	linear      backoff = "linear"
	exponential backoff = "exponential"
)

// retryPolicy says whether and when something is tried again.
type retryPolicy struct {
	when, exceptWhen *expression
	delay            *duration
	backoff          backoff
	// count is how many times at most something is tried again.
	count int
	// attemptTime bounds each attempt, and total all of them together.
	attemptTime, total   *duration
	jitterFrom, jitterTo *duration
}

// again says whether there is another attempt after so many, and waits until its time
// has come.
func (p *retryPolicy) again(r *run, input any, attempts int, began time.Time) (bool, error) {
	if p == nil || attempts > p.count {
		return false, nil
	}
	if holds, err := conditions(r, input, p.when, p.exceptWhen); err != nil || !holds {
		return false, err
	}
	delay, err := p.wait(r, input, attempts)
	if err != nil {
		return false, err
	}
	if p.total != nil {
		total, err := p.total.evaluate(r, input)
		if err != nil {
			return false, err
		}
		if r.now().Sub(began)+delay > total {
			return false, nil
		}
	}
	return true, r.sleep(delay)
}

// wait is the delay before the attempt that follows so many.
func (p *retryPolicy) wait(r *run, input any, attempts int) (time.Duration, error) {
	if p.delay == nil {
		return p.jitter(r, input, 0)
	}
	delay, err := p.delay.evaluate(r, input)
	if err != nil {
		return 0, err
	}
	factor := 1.0
	switch p.backoff {
	case linear:
		factor = float64(attempts)
	case exponential:
		factor = math.Pow(2, float64(attempts-1))
	case constant:
	}
	return p.jitter(r, input, clamp(float64(delay)*factor))
}

// jitter adds a random part to a delay.
func (p *retryPolicy) jitter(r *run, input any, delay time.Duration) (time.Duration, error) {
	if p.jitterFrom == nil || p.jitterTo == nil {
		return delay, nil
	}
	from, err := p.jitterFrom.evaluate(r, input)
	if err != nil {
		return 0, err
	}
	to, err := p.jitterTo.evaluate(r, input)
	if err != nil {
		return 0, err
	}
	return clamp(float64(delay) + float64(from) + r.random()*float64(max(to-from, 0))), nil
}

// retry compiles the retry policy of a catch: an object, or the name of one of
// use.retries.
func (c *compiler) retry(at pointer, catch map[string]any) *retryPolicy {
	value, present := catch["retry"]
	if !present {
		return nil
	}
	at = at.child("retry")
	if name, ok := value.(string); ok {
		found := false
		if value, found = c.named(at, "retries", name); !found {
			return nil
		}
		at = useAt("retries", name)
	}
	policy, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object or the name of one of use.retries, not %s: write {delay: {seconds: 1}, limit: {attempt: {count: 3}}}", kindOf(value))
		return nil
	}
	c.fields(at, policy, retryFields)
	p := &retryPolicy{count: maxAttempts, backoff: constant}
	p.when, p.exceptWhen = c.condition(at, policy, "when"), c.condition(at, policy, "exceptWhen")
	if delay, present := policy["delay"]; present {
		p.delay = c.duration(at.child("delay"), delay, siteTask)
	}
	c.backoff(p, at, policy)
	c.retryLimit(p, at, policy)
	c.jitter(p, at, policy)
	return p
}

func (c *compiler) backoff(p *retryPolicy, at pointer, policy map[string]any) {
	value, ok := c.object(at, policy, "backoff")
	if !ok {
		return
	}
	at = at.child("backoff")
	c.fields(at, value, backoffFields)
	if len(value) != 1 {
		c.problem(at, "must have one member: write {constant: {}}, {linear: {}} or {exponential: {}}")
		return
	}
	for kind := range value {
		if settings, ok := c.object(at, value, kind); ok && len(settings) > 0 {
			c.problem(at.child(kind), "has no settings: write {}; the delay is that of retry.delay")
		}
		p.backoff = backoff(kind)
	}
}

func (c *compiler) retryLimit(p *retryPolicy, at pointer, policy map[string]any) {
	limit, ok := c.object(at, policy, "limit")
	if !ok {
		return
	}
	at = at.child("limit")
	c.fields(at, limit, retryLimitFields)
	if total, present := limit["duration"]; present {
		p.total = c.duration(at.child("duration"), total, siteTask)
	}
	attempt, ok := c.object(at, limit, "attempt")
	if !ok {
		return
	}
	at = at.child("attempt")
	c.fields(at, attempt, retryAttemptFields)
	if value, present := attempt["count"]; present {
		n, ok := value.(int)
		if !ok || n < 0 || n > maxAttempts {
			c.problem(at.child("count"), "must be a whole number from 0 to %d", maxAttempts)
		}
		p.count = n
	}
	if each, present := attempt["duration"]; present {
		p.attemptTime = c.duration(at.child("duration"), each, siteTask)
	}
}

func (c *compiler) jitter(p *retryPolicy, at pointer, policy map[string]any) {
	jitter, ok := c.object(at, policy, "jitter")
	if !ok {
		return
	}
	at = at.child("jitter")
	c.fields(at, jitter, jitterFields)
	for _, end := range []struct {
		key string
		to  **duration
	}{{"from", &p.jitterFrom}, {"to", &p.jitterTo}} {
		value, present := jitter[end.key]
		if !present {
			c.problem(at.child(end.key), "is required")
			continue
		}
		*end.to = c.duration(at.child(end.key), value, siteTask)
	}
}
