package workflow

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds of regular expressions. Fifteen characters can stand for millions of
// instructions: (a{99}){99}.
const (
	// maxPattern is the size of one pattern, in instructions.
	maxPattern = 5_000
	// maxPatterns is that of all patterns of a definition.
	maxPatterns = 50_000
)

// patternSize is about how many instructions a pattern has, and at most one more than
// maxPatterns; 0 for what is no pattern.
func patternSize(text string) int {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0
	}
	return instructions(parsed)
}

func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = min(n+instructions(sub), maxPatterns+1)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min+1, re.Max)
	}
	return min(n, maxPatterns+1)
}

// patternEngine compiles the patterns of schemas, and what is to be a pattern itself by
// a schema: that comes from callers.
func patternEngine(text string) (jsonschema.Regexp, error) {
	if n := patternSize(text); n > maxPattern {
		return nil, fmt.Errorf("the pattern has about %d instructions, at most %d fit", n, maxPattern)
	}
	return regexp.Compile(text)
}

// pattern reports a pattern that is too large, by itself or with those before it.
func (c *compiler) pattern(at pointer, text string) {
	n := patternSize(text)
	c.patterns = min(c.patterns+n, maxPatterns+1)
	switch {
	case n > maxPattern:
		c.problem(at, "the pattern has more than %d instructions: repeat less", maxPattern)
	case c.patterns > maxPatterns:
		c.problem(at, "the patterns of the definition have more than %d instructions together: use fewer, or repeat less", maxPatterns)
	}
}
