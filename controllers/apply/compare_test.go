package apply

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestContains(t *testing.T) {
	for name, c := range map[string]struct {
		live, wanted string
		want         bool
	}{
		"equal":                         {`{a: 1, b: [x, y]}`, `{a: 1, b: [x, y]}`, true},
		"more in live":                  {`{a: 1, c: 3}`, `{a: 1}`, true},
		"another value":                 {`{a: 2}`, `{a: 1}`, false},
		"a missing value":               {`{}`, `{a: 1}`, false},
		"a zero that is wanted":         {`{a: 1}`, `{a: 0}`, false},
		"a zero that is missing":        {`{}`, `{a: 0}`, false},
		"false that is wanted":          {`{a: true}`, `{a: false}`, false},
		"an empty object":               {`{}`, `{a: {}}`, true},
		"an empty list":                 {`{}`, `{a: []}`, true},
		"an empty list that is not":     {`{a: [x]}`, `{a: []}`, false},
		"a longer list":                 {`{a: [x, y]}`, `{a: [x]}`, false},
		"another order":                 {`{a: [y, x]}`, `{a: [x, y]}`, false},
		"named items among others":      {`{a: [{name: z}, {name: y, v: 2}, {name: x, v: 1, w: 3}]}`, `{a: [{name: x, v: 1}, {name: y, v: 2}]}`, true},
		"a named item that differs":     {`{a: [{name: x, v: 2}]}`, `{a: [{name: x, v: 1}]}`, false},
		"a named item that is missing":  {`{a: [{name: y}]}`, `{a: [{name: x}]}`, false},
		"ports of two protocols":        {`{p: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}`, `{p: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}`, true},
		"mounts of one volume":          {`{m: [{name: v, mountPath: /b}, {name: v, mountPath: /a}]}`, `{m: [{name: v, mountPath: /a}, {name: v, mountPath: /b}]}`, true},
		"items that are not told apart": {`{a: [{name: x}, {name: x}, {name: y}]}`, `{a: [{name: x}, {name: x}]}`, false},
		"items without a key":           {`{a: [{from: [1]}, {from: [2]}]}`, `{a: [{from: [1]}]}`, false},
		"an object for a list":          {`{a: {x: 1}}`, `{a: [x]}`, false},
	} {
		var live, wanted any
		for text, into := range map[string]*any{c.live: &live, c.wanted: &wanted} {
			if err := yaml.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		if c.live == c.wanted {
			wanted = live
		}
		if got := contains(live, wanted); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
