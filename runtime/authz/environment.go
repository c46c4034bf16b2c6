package authz

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// environment is CEL's standard library, and nothing that knows the time, the network or
// chance. The extension libraries are left out: the cost of a call is counted after it
// was made, and one call of replace() or sets.contains() may take the product of its
// arguments' sizes. The fields of subject are variables of their own, so that one
// that does not exist is a problem when the expression is compiled.
var environment = sync.OnceValue(func() *cel.Env {
	env, err := cel.NewEnv(
		cel.Variable("input", cel.DynType),
		cel.Variable("subject.id", cel.StringType),
		cel.Variable("subject.name", cel.StringType),
		cel.Variable("subject.issuer", cel.StringType),
		cel.Variable("subject.roles", cel.ListType(cel.StringType)),
		cel.Variable("subject.scopes", cel.ListType(cel.StringType)),
		cel.CustomTypeAdapter(adapter{}),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(), cel.ValidateRegexProgramSizeLimit(maxProgram)),
	)
	if err != nil {
		panic(fmt.Sprintf("building the CEL environment: %v", err)) // it has no input: a test sees it
	}
	return env
})

const (
	// maxExpression is that of the field, in characters.
	maxExpression = 2048
	maxNesting    = 50
)

// adapter makes CEL values of decoded JSON, one at a time as they are read.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return types.NewMap(a, v)
	case []any:
		return types.NewList(a, v)
	case []string:
		return types.NewList(a, v)
	case *big.Int:
		return bigNumber(v)
	default:
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
}

var (
	errBigNumber = errors.New("an integer has more than 64 bits")
	errLongText  = fmt.Errorf("a text that is matched has more than %d bytes", maxMatched)
)

// bigNumber is exact or an error: a rounded number could equal one that it is not.
func bigNumber(v *big.Int) ref.Val {
	switch {
	case v.IsInt64():
		return types.Int(v.Int64())
	case v.IsUint64():
		return types.Uint(v.Uint64())
	default:
		return types.WrapErr(errBigNumber)
	}
}

// The bounds of matches, which is one step that nothing interrupts. Its pattern is
// always a literal, see regexProblems.
const (
	maxMatched = 64 << 10
	maxProgram = 500
)

// matches compiles the pattern once and bounds the text.
var matches = &interpreter.RegexOptimization{
	Function:   "matches",
	RegexIndex: 1,
	Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(args ...ref.Val) ref.Val {
			text, ok := args[0].(types.String)
			switch {
			case !ok:
				return types.NoSuchOverloadErr()
			case len(text) > maxMatched:
				return types.WrapErr(errLongText)
			default:
				return types.Bool(compiled.MatchString(string(text)))
			}
		}), nil
	},
}
