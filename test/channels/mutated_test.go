package channels

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// mutations is how many inputs are made of those of the table.
const mutations = 1000

// TestMutatedInputs: inputs that nobody thought of, made of those of the table by small
// changes, get the same verdict over the channels that take any text.
func TestMutatedInputs(t *testing.T) {
	var texts []string
	for _, c := range table() {
		for _, s := range c.steps {
			if s.workflow == "echo" && s.app == "" && s.inputs != "" && len(s.inputs) < 2000 {
				texts = append(texts, s.inputs)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range mutations {
		text := mutate(random, texts)
		if json.Valid([]byte(`{"a":`+text+`}`)) && !json.Valid([]byte(text)) {
			continue // it ends what the channel puts around it
		}
		var first verdict
		for i, ch := range channels[:4] {
			v := ch.call(t, ch.callOf(step{workflow: "echo", inputs: text}))
			if i == 0 {
				first = v
				seen[v.code]++
			}
			if v.code != first.code || v.output != first.output || why(v) != why(first) {
				t.Errorf("%.300q over %s is %s (%s), and over %s %s (%s): %s", text, channels[0].name, first.code, why(first), ch.name, v.code, why(v), brief(v.raw))
			}
		}
	}
	if seen[ok] < mutations/20 || seen["invalid_input"] < mutations/20 {
		t.Errorf("the inputs come to %v: too few of a kind", seen)
	}
	t.Log(seen)
}

// why is which rule was violated, and where in the inputs. Where in the text it is no JSON
// depends on what the channel puts around them.
func why(v verdict) string {
	if len(v.problem.Violations) != 1 {
		return ""
	}
	first := v.problem.Violations[0]
	if first.Rule == "not_json" {
		return first.Rule
	}
	for _, around := range []string{"/inputs", "/params/arguments"} {
		first.Pointer = strings.TrimPrefix(first.Pointer, around)
	}
	return first.Rule + " " + first.Pointer
}

// mutate changes one of the texts in a few places.
func mutate(random *rand.Rand, texts []string) string {
	text := []byte(texts[random.IntN(len(texts))])
	for range 1 + random.IntN(3) {
		at := random.IntN(len(text) + 1)
		switch random.IntN(4) {
		case 0: // another byte
			if at < len(text) {
				text[at] = byte(random.IntN(256))
			}
		case 1: // one less
			text = append(text[:at:at], text[min(at+1, len(text)):]...)
		case 2: // some of what means something in JSON
			const signs = `{}[]",:\\/.%_ue09-+tfn `
			text = append(text[:at:at], append([]byte{signs[random.IntN(len(signs))]}, text[at:]...)...)
		case 3: // a part of another one
			other := texts[random.IntN(len(texts))]
			from := random.IntN(len(other) + 1)
			text = append(text[:at:at], append([]byte(other[from:min(len(other), from+random.IntN(20))]), text[at:]...)...)
		}
		if len(text) == 0 {
			text = []byte("{}")
		}
	}
	return string(text)
}
