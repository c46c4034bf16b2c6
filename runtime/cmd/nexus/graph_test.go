package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// twoWorkflows are an echo, and ask-echo, which runs it.
const twoWorkflows = good + `  - name: ask-echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: ask-echo, version: 1.0.0}
      do: [{ask: {run: {workflow: {namespace: team-a, name: echo, version: 1.0.0}}}}]
`

func TestGraph(t *testing.T) {
	for _, c := range []struct {
		name, manifest string
		args           []string
		code           int
		// want and unwanted are looked for in the output, and wantErr in the errors.
		want, unwanted []string
		wantErr        string
	}{
		{name: "one workflow", manifest: good, want: []string{"flowchart TD\n", `(["echo 1.0.0"])`, `["reply<br>set all"]`}, unwanted: []string{"subgraph"}},
		{name: "two workflows", manifest: twoWorkflows, want: []string{`subgraph n1["echo"]`, `["ask-echo"]`, `-.->|"runs"| n2`}},
		{name: "one of two", manifest: twoWorkflows, args: []string{"--workflow", "ask-echo"}, want: []string{`(["ask-echo 1.0.0"])`}, unwanted: []string{"subgraph", "reply"}},
		{name: "DOT", manifest: good, args: []string{"--output", "dot"}, want: []string{"digraph {\n", `label="echo 1.0.0"`}, unwanted: []string{"flowchart"}},
		{name: "a name that is near", manifest: twoWorkflows, args: []string{"--workflow", "ecko"}, code: exitUsage,
			wantErr: "nexus: --workflow: the manifest has no workflow \"ecko\": did you mean echo?\n"},
		{name: "a name that is not", manifest: twoWorkflows, args: []string{"--workflow", "billing"}, code: exitUsage,
			wantErr: "nexus: --workflow: the manifest has no workflow \"billing\": it has echo, ask-echo\n"},
		{name: "an unknown format", manifest: good, args: []string{"--output", "png"}, code: exitUsage,
			wantErr: "nexus: --output \"png\" is not known: use mermaid or dot\n"},
		{name: "an argument", manifest: good, args: []string{"echo"}, code: exitUsage,
			wantErr: "nexus: unexpected argument \"echo\": see 'nexus graph --help'\n"},
		{name: "what validate refuses", manifest: strings.Replace(good, "${ . }", "${ ] }", 1), code: exitInvalid,
			wantErr: "nexus: -: spec.workflows[0].definition/do/0/reply/set/all: "},
		{name: "a task that is not supported", manifest: strings.Replace(good, `{set: {all: "${ . }"}}`, `{listen: {to: {any: []}}}`, 1), code: exitInvalid,
			wantErr: "nexus: -: spec.workflows[0].definition/do/0/reply/listen: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errOut := nexus(t, c.manifest, append([]string{"graph", "-f", "-"}, c.args...)...)
			if code != c.code || !strings.HasPrefix(errOut, c.wantErr) || c.wantErr == "" && errOut != "" {
				t.Errorf("exit code %d, want %d; %s", code, c.code, errOut)
			}
			if code != 0 && out != "" {
				t.Errorf("printed although it failed: %s", out)
			}
			for _, text := range c.want {
				if !strings.Contains(out, text) {
					t.Errorf("%q is not in\n%s", text, out)
				}
			}
			for _, text := range c.unwanted {
				if strings.Contains(out, text) {
					t.Errorf("%q is in\n%s", text, out)
				}
			}
		})
	}
}

func TestGraphFiles(t *testing.T) {
	app := write(t, "app.yaml", good)
	_, printed, _ := nexus(t, "", "graph", "-f", app)
	// A definition may be a text, and be in a ConfigMap.
	definition := `{document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0}, do: [{reply: {set: {all: "${ . }"}}}]}`
	head, _, _ := strings.Cut(good, "    definition:")
	text := write(t, "text.yaml", head+"    definitionText: '"+definition+"'\n")
	reference := write(t, "reference.yaml", head+"    definitionRef: {configMapRef: {name: flows, key: echo.yaml}}\n")
	configMaps := t.TempDir()
	if err := os.Mkdir(filepath.Join(configMaps, "flows"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(configMaps, "flows", "echo.yaml"), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	for manifest, args := range map[string][]string{text: nil, reference: {"--configmaps-dir", configMaps}} {
		code, out, errOut := nexus(t, "", append([]string{"graph", "-f", manifest}, args...)...)
		if code != 0 || out != printed {
			t.Errorf("%s: exit code %d, %s%s", manifest, code, out, errOut)
		}
	}
	code, _, errOut := nexus(t, "", "graph", "-f", filepath.Join(t.TempDir(), "missing.yaml"))
	if code != exitUsage || !strings.Contains(errOut, "missing") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}
