package authz

import (
	"iter"
	"maps"
	"slices"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxCost bounds what one decision may cost, in steps: one for each operation and for
// each item, and one for textStep bytes of text, that an operation looks through. A step
// takes some 50 ns. An operation is counted when it is done, so that a decision takes at
// most as long as that, and as one look through the whole input.
const (
	maxCost  = 100_000
	textStep = 100
)

// steps counts what a call costs. CEL's own count knows the cost of an operation by the
// types of its operands, and those of an input are not known: it would take every call
// for one step.
type steps struct{}

// CallCost implements cost.ActualCostEstimator.
func (steps) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	n := 1
	switch {
	case function == "matches":
		return nil // its types are always known
	case function == operators.In && len(args) == 2:
		if _, isList := args[1].(traits.Lister); isList {
			n += weigh(args[1], maxCost)
		}
	case (function == operators.Equals || function == operators.NotEquals) && len(args) == 2:
		n += compared(args[0], args[1])
	default:
		for _, arg := range args {
			n += text(arg)
		}
	}
	total := uint64(n)
	return &total
}

// compared is the cost of ==. It looks no further when the sizes differ.
func compared(a, b ref.Val) int {
	switch a.(type) {
	case types.String, types.Bytes:
		return min(text(a), text(b))
	case traits.Lister, traits.Mapper:
		other, sized := b.(traits.Sizer)
		if _, isText := b.(types.String); isText || !sized || other.Size() != a.(traits.Sizer).Size() {
			return 0
		}
		return weigh(a, maxCost) + weigh(b, maxCost)
	default:
		return 0
	}
}

func text(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v) / textStep
	case types.Bytes:
		return len(v) / textStep
	default:
		return 0
	}
}

// weigh counts the values within a value, to any depth, until they are more than most.
func weigh(value any, most int) int {
	switch v := value.(type) {
	case string:
		return 1 + len(v)/textStep
	case types.String, types.Bytes:
		return 1 + text(v.(ref.Val))
	case traits.Lister, traits.Mapper:
		return weigh(v.(ref.Val).Value(), most)
	case []any:
		return sum(slices.Values(v), most)
	case []string:
		return sum(slices.Values(v), most)
	case []ref.Val:
		return sum(slices.Values(v), most)
	case map[string]any:
		return sum(maps.Values(v), most)
	case map[ref.Val]ref.Val:
		return sum(maps.Values(v), most)
	default:
		return 1
	}
}

func sum[T any](items iter.Seq[T], most int) int {
	n := 1
	for item := range items {
		if n += weigh(item, most-n); n > most {
			break
		}
	}
	return n
}

// What the values of an input are taken to be when a cost is estimated: lists and objects
// of so many items, and texts of so many bytes. An expression that cannot decide that is
// refused; one that meets more is stopped when it has cost too much.
const (
	assumedItems = 32
	assumedBytes = 1000
)

// inputSizes tells the estimate how large the values of the variables are.
type inputSizes struct{}

// EstimateSize implements cost.Estimator.
func (inputSizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	switch {
	case node.ComputedSize() != nil:
		return nil // a literal
	case node.Type() != nil && (node.Type().Kind() == types.StringKind || node.Type().Kind() == types.BytesKind):
		return &cost.SizeEstimate{Max: assumedBytes}
	default:
		return &cost.SizeEstimate{Max: assumedItems}
	}
}

// EstimateCallCost implements cost.Estimator: the standard costs.
func (inputSizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
