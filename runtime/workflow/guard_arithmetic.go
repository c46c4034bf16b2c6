package workflow

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/itchyny/gojq"
)

// multiply is jq's *: the product of numbers, a repeated string, or two objects
// merged deeply. What it makes is bounded.
func multiply(l, r any) any {
	switch left := l.(type) {
	case string:
		if n, ok := gojq.ToFloat64(r); ok {
			return repeat(left, n)
		}
	case map[string]any:
		if right, ok := r.(map[string]any); ok {
			return merge(left, right)
		}
	default:
		if right, ok := r.(string); ok {
			if n, ok := gojq.ToFloat64(l); ok {
				return repeat(right, n)
			}
			break
		}
		return multiplication.apply(l, r)
	}
	return multiplication.typeError(l, r)
}

// arithmetic is an operation on numbers: exact on integers, else on floating-point
// numbers.
type arithmetic struct {
	verb   string
	ints   func(l, r int) int
	bigs   func(l, r *big.Int) any
	floats func(l, r float64) float64
}

var multiplication = arithmetic{
	verb: "multiply",
	ints: func(l, r int) int { return l * r },
	bigs: func(l, r *big.Int) any {
		if l.BitLen()+r.BitLen() > maxIntegerBits {
			return fmt.Errorf("the product would have more than %d bits", maxIntegerBits)
		}
		return integer(new(big.Int).Mul(l, r))
	},
	floats: func(l, r float64) float64 { return l * r },
}

var sum = arithmetic{
	verb:   "add",
	ints:   func(l, r int) int { return l + r },
	bigs:   func(l, r *big.Int) any { return integer(new(big.Int).Add(l, r)) },
	floats: func(l, r float64) float64 { return l + r },
}

var subtraction = arithmetic{
	verb:   "subtract",
	ints:   func(l, r int) int { return l - r },
	bigs:   func(l, r *big.Int) any { return integer(new(big.Int).Sub(l, r)) },
	floats: func(l, r float64) float64 { return l - r },
}

func (a arithmetic) apply(l, r any) any {
	x, xInt := l.(int)
	y, yInt := r.(int)
	if xInt && yInt && plainly(x) && plainly(y) {
		return a.ints(x, y)
	}
	left, leftExact := asInteger(l)
	right, rightExact := asInteger(r)
	if leftExact && rightExact {
		return a.bigs(left, right)
	}
	fl, lOK := gojq.ToFloat64(l)
	fr, rOK := gojq.ToFloat64(r)
	if !lOK || !rOK {
		return a.typeError(l, r)
	}
	return a.floats(fl, fr)
}

func (a arithmetic) typeError(l, r any) error {
	return fmt.Errorf("cannot %s: %s and %s", a.verb, gojq.TypeOf(l), gojq.TypeOf(r))
}

// integer returns an int where one holds the value.
func integer(n *big.Int) any {
	if n.IsInt64() {
		return int(n.Int64())
	}
	return n
}

func asInteger(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int:
		return big.NewInt(int64(v)), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// repeat is jq's string times number: null for a negative one.
func repeat(s string, n float64) any {
	if n < 0 || math.IsNaN(n) {
		return nil
	}
	if n*float64(len(s)) > maxTextBytes {
		return fmt.Errorf("the repeated string would have more than %d bytes", maxTextBytes)
	}
	if s == "" {
		return ""
	}
	return strings.Repeat(s, int(n))
}

// subtract is jq's -: the difference of numbers, or an array without the items of
// another.
func subtract(l, r any) any {
	left, leftOK := l.([]any)
	right, rightOK := r.([]any)
	if !leftOK || !rightOK {
		return subtraction.apply(l, r)
	}
	if err, ok := checkPair(l, r).(error); ok {
		return err
	}
	c := comparison{room: maxCompared}
	rest := make([]any, 0, len(left))
next:
	for _, item := range left {
		for _, gone := range right {
			equal := c.order(item, gone, 0) == 0
			if c.room < 0 {
				return errTooLarge
			}
			if equal {
				continue next
			}
		}
		rest = append(rest, item)
	}
	return rest
}
