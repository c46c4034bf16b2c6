package workflow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// maxViolations bounds how many violations of one input are reported.
const maxViolations = 20

// violations lists what is wrong with a value. The messages name what the schema
// wants and never hold the value.
func violations(e *jsonschema.ValidationError) []fault.Violation {
	var list []fault.Violation
	var collect func(e *jsonschema.ValidationError)
	collect = func(e *jsonschema.ValidationError) {
		if len(list) >= maxViolations {
			return
		}
		if message := explain(e.ErrorKind); message != "" {
			if _, ok := e.ErrorKind.(*kind.PropertyNames); ok {
				message += why(e)
			}
			at := pointer("")
			for _, token := range e.InstanceLocation {
				at = at.child(token)
			}
			list = append(list, fault.Violation{Pointer: string(at), Message: message})
			return
		}
		for _, cause := range e.Causes {
			collect(cause)
		}
	}
	collect(e)
	// The validator walks maps: sorted, the same input gets the same answer.
	slices.SortFunc(list, func(a, b fault.Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Message, b.Message))
	})
	return list
}

// why explains what is wrong with the name of a field.
func why(e *jsonschema.ValidationError) string {
	for _, cause := range e.Causes {
		if message := explain(cause.ErrorKind); message != "" {
			return ": the name " + message
		}
		if message := why(cause); message != "" {
			return message
		}
	}
	return ""
}

// explain says what a value must be like, or nothing for an error that only groups
// others.
func explain(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		return ""
	case *kind.AnyOf, *kind.OneOf:
		return "must have one of the forms that the schema lists, and has none or several of them"
	case *kind.Not:
		return "has a form that the schema excludes"
	case *kind.FalseSchema:
		return "is not allowed: remove it"
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", article(strings.Join(k.Want, " or ")), article(k.Got))
	case *kind.Enum:
		return "must be one of " + listed(k.Want)
	case *kind.Const:
		return "must be " + listed([]any{k.Want})
	case *kind.Format:
		if k.Want == "regex" {
			return "must be a regular expression in RE2 syntax"
		}
		return "must have the format " + k.Want
	case *kind.Required:
		return "lacks " + quoted(k.Missing, "the required field", "the required fields")
	case *kind.DependentRequired:
		return fmt.Sprintf("lacks %s, needed when %s is there", quoted(k.Missing, "the field", "the fields"), quoted([]string{k.Prop}, "", ""))
	case *kind.AdditionalProperties:
		return "has " + quoted(k.Properties, "an unknown field", "unknown fields") + ": remove it or correct the spelling"
	case *kind.PropertyNames:
		return "has a field whose name is not allowed: " + quoted([]string{k.Property}, "", "")
	}
	return explainBound(k)
}

// explainBound explains the keywords that compare with a number.
func explainBound(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d fields", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d fields", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat an item: items %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	}
	return "does not satisfy the schema's " + strings.Join(k.KeywordPath(), " ")
}

func article(what string) string {
	if what == "" || what == "null" {
		return what
	}
	if strings.ContainsRune("aeio", rune(what[0])) {
		return "an " + what
	}
	return "a " + what
}

// maxListed bounds how many names or values one message lists.
const maxListed = 10

// listed writes values of the schema.
func listed(values []any) string {
	var parts []string
	for i, v := range values {
		if i == maxListed {
			parts = append(parts, "...")
			break
		}
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("a value of the schema")
		}
		parts = append(parts, shorten(string(text)))
	}
	return strings.Join(parts, ", ")
}

// quoted writes names of fields after the fitting noun.
func quoted(names []string, one, many string) string {
	noun := one
	if len(names) > 1 {
		noun = many
	}
	var parts []string
	for i, name := range names {
		if i == maxListed {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, fmt.Sprintf("%q", shorten(name)))
	}
	return strings.TrimSpace(noun + " " + strings.Join(parts, ", "))
}

// shorten cuts a text that is too long for a message.
func shorten(text string) string { return clip(text, 80) }

// decimal writes a bound of the schema.
func decimal(n *big.Rat) string {
	if n.IsInt() {
		return n.Num().String()
	}
	f, _ := n.Float64()
	return fmt.Sprint(f)
}
