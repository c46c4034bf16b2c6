package workflow

import (
	"math"
	"strings"

	"github.com/itchyny/gojq"
)

// operators are jq's operators on operands of the usual types; false means that the
// operands are jq's business.
var operators = map[gojq.Operator]func(l, r any) (any, bool){
	gojq.OpSub: func(l, r any) (any, bool) {
		return compute(l, r, func(l, r int) (any, bool) { return l - r, true }, func(l, r float64) (any, bool) { return l - r, true })
	},
	gojq.OpMul: func(l, r any) (any, bool) {
		return compute(l, r, func(l, r int) (any, bool) { return l * r, true }, func(l, r float64) (any, bool) { return l * r, true })
	},
	gojq.OpDiv: divide,
	gojq.OpEq:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n == 0, ok },
	gojq.OpNe:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n != 0, ok },
	gojq.OpLt:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n < 0, ok },
	gojq.OpLe:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n <= 0, ok },
	gojq.OpGt:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n > 0, ok },
	gojq.OpGe:  func(l, r any) (any, bool) { n, ok := compare(l, r); return n >= 0, ok },
}

// laziness compiles an operator whose right side is not always, or not on the same value,
// evaluated; nil for any other.
func laziness(op gojq.Operator, left, right direct) direct {
	switch op {
	case gojq.OpPipe:
		return func(r *run, dot any) (any, bool) {
			value, ok := left(r, dot)
			if !ok {
				return nil, false
			}
			return right(r, value)
		}
	case gojq.OpAlt:
		return func(r *run, dot any) (any, bool) {
			value, ok := left(r, dot)
			if !ok || truthy(value) {
				return value, ok
			}
			return right(r, dot)
		}
	case gojq.OpAnd, gojq.OpOr:
		decided := op == gojq.OpOr
		return func(r *run, dot any) (any, bool) {
			value, ok := left(r, dot)
			if !ok || truthy(value) == decided {
				return decided, ok
			}
			value, ok = right(r, dot)
			return truthy(value), ok
		}
	default:
		return nil
	}
}

// addition is +, which can make a new text.
func addition(left, right direct) direct {
	sum := operation(add, left, right)
	return func(r *run, dot any) (any, bool) {
		value, ok := sum(r, dot)
		if text, isText := value.(string); isText {
			r.held += headerBytes + int64(len(text))
		}
		return value, ok
	}
}

// operation applies an operator. jq evaluates the right operand first; neither has an
// effect but its value.
func operation(operate func(l, r any) (any, bool), left, right direct) direct {
	if operate == nil {
		return nil
	}
	return func(r *run, dot any) (any, bool) {
		a, ok := left(r, dot)
		if !ok {
			return nil, false
		}
		b, ok := right(r, dot)
		if !ok {
			return nil, false
		}
		return operate(a, b)
	}
}

// plainly says whether an integer is so small that no operation on two of them
// overflows, and that it is exact as a float.
func plainly(n int) bool { return -1<<31 < n && n < 1<<31 }

// compute applies an operation to two numbers.
func compute(l, r any, ints func(l, r int) (any, bool), floats func(l, r float64) (any, bool)) (any, bool) {
	a, aInt := l.(int)
	b, bInt := r.(int)
	if aInt && bInt {
		if !plainly(a) || !plainly(b) {
			return nil, false
		}
		return ints(a, b)
	}
	x, xOK := plainFloat(l)
	y, yOK := plainFloat(r)
	if !xOK || !yOK {
		return nil, false
	}
	return floats(x, y)
}

// plainFloat returns a number as a float; an integer must be exact as one.
func plainFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), plainly(v)
	case float64:
		return v, !math.IsNaN(v)
	}
	return 0, false
}

// maxPlainText bounds the strings that are made here: jq is interrupted when it makes too
// many large ones, and this is not.
const maxPlainText = 4 << 10

func add(l, r any) (any, bool) {
	if a, ok := l.(string); ok {
		b, ok := r.(string)
		if !ok || len(a)+len(b) > maxPlainText {
			return nil, false
		}
		return a + b, true
	}
	return compute(l, r, func(l, r int) (any, bool) { return l + r, true }, func(l, r float64) (any, bool) { return l + r, true })
}

func divide(l, r any) (any, bool) {
	return compute(l, r, func(l, r int) (any, bool) {
		switch {
		case r == 0:
			return nil, false
		case l%r == 0:
			return l / r, true
		}
		return float64(l) / float64(r), true
	}, func(l, r float64) (any, bool) {
		if r == 0 {
			return nil, false
		}
		return l / r, true
	})
}

// compare orders two scalars as jq does: null, false, true, numbers, strings.
func compare(l, r any) (int, bool) {
	a, aRank := l.(string)
	b, bRank := r.(string)
	if aRank && bRank {
		return strings.Compare(a, b), true
	}
	left, right := rank(l), rank(r)
	switch {
	case left < 0 || right < 0:
		return 0, false
	case left != right:
		return left - right, true
	case left == rankNumber:
		x, xOK := plainFloat(l)
		y, yOK := plainFloat(r)
		if !xOK || !yOK {
			return 0, false
		}
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
	}
	return 0, true
}

const rankNumber = 3

// rank is the place of a scalar's type in jq's order, -1 for what is not one.
func rank(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 2
		}
		return 1
	case int, float64:
		return rankNumber
	case string:
		return 4
	}
	return -1
}
