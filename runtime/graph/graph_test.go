package graph

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden draws every file of testdata. A file holds one definition, or several.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			definitions := read(t, file)
			for _, definition := range definitions {
				checkAccepted(t, definition)
			}
			for extension, draw := range forms {
				got := render(t, draw, definitions...)
				golden := strings.TrimSuffix(file, ".yaml") + extension
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s differs; look at it, and run 'go test ./runtime/graph -update':\n%s", golden, got)
				}
				checkForm(t, extension, got)
			}
		})
	}
}

// checkAccepted checks that a definition is one that could be served.
func checkAccepted(t *testing.T, definition map[string]any) {
	t.Helper()
	raw, err := json.Marshal(definition)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := definition["document"].(map[string]any)["name"].(string)
	if _, problems := workflow.Compile(name, raw, workflow.Environment{Secrets: []string{"pricing", "password"}}); len(problems) > 0 {
		t.Errorf("%s would be refused: %v", name, problems)
	}
}

var forms = map[string]drawer{".mmd": Mermaid, ".dot": DOT}

type drawer func(w io.Writer, definitions ...map[string]any) error

func read(t *testing.T, file string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for text := range strings.SplitSeq(string(raw), "\n---\n") {
		var definition map[string]any
		if err := yaml.Unmarshal([]byte(text), &definition); err != nil {
			t.Fatal(err)
		}
		out = append(out, definition)
	}
	return out
}

func render(t *testing.T, draw drawer, definitions ...map[string]any) string {
	t.Helper()
	var out bytes.Buffer
	if err := draw(&out, definitions...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestFailingWriter hands on what the writer says.
func TestFailingWriter(t *testing.T) {
	closed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for form, draw := range forms {
		if err := draw(closed, map[string]any{}); err == nil {
			t.Errorf("%s: no error of a closed file", form)
		}
	}
}

// lineForms are the lines that each form has, and labelForms what stands in the quotes
// of a line. Whatever a definition says, nothing else may be written.
var (
	lineForms = map[string]*regexp.Regexp{
		".mmd": regexp.MustCompile(`^( *)(flowchart TD|subgraph n\d+\["L"\]|end|` +
			`n\d+(\(\["L"\]\)|\["L"\]|\("L"\)|\[\["L"\]\]|\{"L"\}|\[/"L"\\\]|>"L"\]|\[\\"L"/\]|\{\{"L"\}\}|\(\("L"\)\))|` +
			`n\d+ (-->|-\.->)(\|"L"\|)? n\d+)$`),
		".dot": regexp.MustCompile(`^( *)(digraph \{|\}|compound=true|newrank=true|fontname="L"|fontsize=11|node \[fontname="L", fontsize=11\]|` +
			`edge \[fontname="L", fontsize=10\]|subgraph cluster_n\d+ \{|label="L"|n\d+ \[label="L", (shape=\w+|style=\w+|style="L"|, )+\]|` +
			`n\d+ -> n\d+( \[(ltail=cluster_n\d+|style=dashed|label="L"|, )+\])?)$`),
	}
	labelForms = map[string]*regexp.Regexp{
		".mmd": regexp.MustCompile(`"((?:[^"#<>&:;%*_~\x60$|{}\[\]\\\n]|<br>|#\d+;)*)"`),
		".dot": regexp.MustCompile(`"((?:[^"\\&\n]|\\["\\n]|&amp;)*)"`),
	}
	anID   = regexp.MustCompile(`n\d+`)
	edgeID = regexp.MustCompile(`^ *(n\d+) -.*> (n\d+)`)
	entity = regexp.MustCompile(`#\d+;`)
)

// checkForm checks that a picture is made of known lines, and that edges join what is
// there.
func checkForm(t *testing.T, form, picture string) {
	t.Helper()
	known := map[string]bool{}
	var ends []string
	depth := 0
	for line := range strings.Lines(picture) {
		line = strings.TrimSuffix(line, "\n")
		bare := labelForms[form].ReplaceAllString(line, `"L"`)
		if !lineForms[form].MatchString(bare) {
			t.Fatalf("a line of no known form: %q (%q) in\n%s", line, bare, picture)
		}
		words := strings.TrimSpace(bare)
		switch {
		case strings.HasPrefix(words, "subgraph "):
			known[anID.FindString(words)] = true
			depth++
		case strings.HasPrefix(words, "digraph "):
			depth++
		case words == "end" || words == "}":
			depth--
		case edgeID.MatchString(words):
			ends = append(ends, edgeID.FindStringSubmatch(words)[1:]...)
		default:
			known[anID.FindString(words)] = true
		}
	}
	if depth != 0 {
		t.Errorf("%d frames are not closed in\n%s", depth, picture)
	}
	for _, id := range ends {
		if !known[id] {
			t.Errorf("an edge at %s, which is not there, in\n%s", id, picture)
		}
	}
}

// labels are the texts that a reader of the picture sees.
func labels(form, picture string) []string {
	var out []string
	for _, match := range labelForms[form].FindAllStringSubmatch(picture, -1) {
		text := match[1]
		if form == ".mmd" {
			text = strings.ReplaceAll(text, "<br>", "\n")
			text = entity.ReplaceAllStringFunc(text, func(entity string) string {
				n, _ := strconv.Atoi(entity[1 : len(entity)-1]) // the pattern is a number's
				return string(rune(n))
			})
			text = strings.ReplaceAll(text, string(zeroWidthSpace), "")
		} else {
			text = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", "&amp;", "&").Replace(text)
		}
		out = append(out, text)
	}
	return out
}

// sample is a definition with a text wherever one is drawn.
func sample(text string) map[string]any {
	task := func(name string, task map[string]any) map[string]any { return map[string]any{name: task} }
	return map[string]any{
		"document": map[string]any{"name": text, "version": "1"},
		"do": []any{
			task(text, map[string]any{"set": map[string]any{text: 1}}),
			task("s", map[string]any{"switch": []any{task("c", map[string]any{"when": text, "then": "end"})}}),
			task("f", map[string]any{"for": map[string]any{"each": text, "in": text}, "while": text, "do": []any{task(text, map[string]any{"if": text, "wait": text})}}),
			task("t", map[string]any{"try": []any{task("r", map[string]any{"raise": map[string]any{"error": text}})}, "catch": map[string]any{"as": text, "when": text, "do": []any{}}}),
			task(text, map[string]any{"do": []any{task("e", map[string]any{"emit": map[string]any{"event": map[string]any{"with": map[string]any{"type": text}}}})}}),
			task("h", map[string]any{"call": "http", "with": map[string]any{"method": text, "endpoint": text}}),
			task("m", map[string]any{"call": "mcp", "with": map[string]any{"method": text, "parameters": map[string]any{"name": text}}}),
			task("w", map[string]any{"run": map[string]any{"workflow": map[string]any{"name": text}}}),
		},
	}
}

// FuzzLabels draws texts: the structure is that of plain ones, and what is read is what
// was written.
func FuzzLabels(f *testing.F) {
	for _, text := range []string{
		`"]; n1 --> n2`, "#quot;", "&lt;b&gt;", "<script>alert(1)</script>", "%%{init: {'theme': 'dark'}}%%", "`md`", "$$x$$", `\N\n\`, "end",
		"1. x", "- x", "style: x#1;", "classDef a:#1;", "ﬂ°°35¶ß", "fa:fa-car", "|", "\x00\u202e\xff", "Größe 数量 🚀", "a\r\nb", "https://a@b/?c#d", "${ .a }",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := shorten(expression(text))
		if shown == "" || shorten(text) == "" {
			return // it is as if it were not there
		}
		for form, draw := range forms {
			got := render(t, draw, sample(text))
			checkForm(t, form, got)
			quoted := regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
			if form == ".mmd" {
				quoted = regexp.MustCompile(`"[^"\n]*"`)
			}
			if got, plain := quoted.ReplaceAllString(got, ""), quoted.ReplaceAllString(render(t, draw, sample("a")), ""); got != plain {
				t.Errorf("the structure changes with the text %q:\n%s\nand with a plain one:\n%s", text, got, plain)
			}
			if all := labels(form, got); !slices.Contains(all, shown) {
				t.Errorf("%q is drawn as none of %q", shown, all)
			}
		}
	})
}

// FuzzDefinition draws whatever JSON there is.
func FuzzDefinition(f *testing.F) {
	f.Add([]byte(`{"do":[{"a":{"then":"b"}},{"b":{"then":"a"}},{"c":{"for":1,"do":[{}]}},{"d":{"fork":{"branches":[1]}}},{"e":{"try":[],"catch":{"retry":"x"}}}]}`))
	f.Add([]byte(`{"use":{"timeouts":{"t":{"after":{"days":1}}}},"do":[{"a":{"timeout":"t","do":{}}},{"b":{"switch":[{"c":{}}]}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var definition map[string]any
		if json.Unmarshal(raw, &definition) != nil {
			return
		}
		for form, draw := range forms {
			first := render(t, draw, definition, maps.Clone(definition))
			checkForm(t, form, first)
			if second := render(t, draw, definition, definition); first != second {
				t.Errorf("drawn twice, it differs:\n%s\n%s", first, second)
			}
		}
	})
}
