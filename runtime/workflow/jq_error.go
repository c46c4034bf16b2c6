package workflow

import (
	"errors"
	"regexp"
	"strings"

	"github.com/itchyny/gojq"
)

// maxReason bounds what the log has of an error of jq, in bytes.
const maxReason = 200

// secondOperand is the end of what jq says of two operands that do not go together.
var secondOperand = regexp.MustCompile(` and (?:null|boolean|number|string|array|object) \([^()]*\)$`)

// reason is what the log may say of an error of jq. jq shows the values that it stumbled
// upon, in part or as a whole: they are callers' data, and a secret of which only a part is
// shown is not found to be one. So what stands in parentheses or quotes is left out; the text of an
// author's own error is kept when it is short, since then it is there as a whole.
func reason(err error) error {
	if own, ok := errors.AsType[gojq.ValueError](err); ok {
		if text, ok := own.Value().(string); ok && len(text) <= maxReason {
			return errors.New("error: " + text)
		}
		return errors.New("the expression raised an error of its own")
	}
	text := err.Error()
	head := text
	if shown := strings.IndexAny(text, `("`); shown >= 0 {
		head = strings.TrimRight(text[:shown], " ")
		if end := secondOperand.FindString(text); end != "" {
			kind, _, _ := strings.Cut(end, " (")
			head += kind
		}
	}
	return errors.New(clip(head, maxReason))
}
