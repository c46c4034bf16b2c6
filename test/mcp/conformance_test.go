package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	suite = "ts/node_modules/@modelcontextprotocol/conformance"
	// conformanceApp is the shipped app that the suite's scenarios call.
	conformanceApp = root + "/config/samples/mcp-conformance.yaml"
)

// check is one thing that a scenario looked at.
type check struct{ ID, Status, ErrorMessage string }

// bad says whether the suite holds a check against the server. With a baseline it does
// so even with a warning: a SHOULD of the specification.
func (c check) bad() bool { return c.Status == "FAILURE" || c.Status == "WARNING" }

// TestConformance runs every server scenario that a revision requires, at that revision.
func TestConformance(t *testing.T) {
	node := node(t)
	manifest, err := os.ReadFile(conformanceApp)
	if err != nil {
		t.Fatal(err)
	}
	url := newApp(t, manifest).serve()
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		t.Run(revision, func(t *testing.T) {
			required, further := requirements(t, revision)
			results, said, err := runSuite(t, node, url, revision)
			passed := 0
			for _, scenario := range required {
				if passes(results[scenario]) {
					passed++
				}
			}
			fmt.Printf("MCP conformance %s: %d of %d scenarios\n", revision, passed, len(required))
			for _, scenario := range further {
				fmt.Printf("  besides, %s: %s\n", scenario, verdict(results[scenario]))
				if slices.ContainsFunc(results[scenario], func(c check) bool { return c.Status == "FAILURE" }) {
					t.Errorf("nobody requires %s, but it passed before", scenario)
				}
			}
			for _, scenario := range slices.Concat(required, further) {
				if len(results[scenario]) == 0 {
					t.Errorf("the suite did not run %s", scenario)
				}
			}
			if err != nil {
				t.Errorf("the suite is not content: %v\n%s", err, said)
			}
		})
	}
}

func passes(checks []check) bool {
	return slices.ContainsFunc(checks, func(c check) bool { return c.Status == "SUCCESS" }) && !slices.ContainsFunc(checks, check.bad)
}

// verdict is what is reported of a scenario that nobody requires.
func verdict(checks []check) string {
	bad, good := 0, 0
	var said []string
	for _, c := range checks {
		switch {
		case c.bad():
			bad++
			said = append(said, c.ID+": "+c.ErrorMessage)
		case c.Status == "SUCCESS":
			good++
		}
	}
	out := fmt.Sprintf("%d checks passed, %d failed", good, bad)
	return strings.Join(append([]string{out}, said...), "\n    ")
}

// requirements are the scenarios that a revision requires of a server, and those that the
// suite runs besides, but for the extension of tasks: the runtime does not offer it.
func requirements(t *testing.T, revision string) (required, further []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(suite, "requirements", revision+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Server    []string `json:"server"`
		NotScored []struct{ Scenario, Leg, Reason string }
	}
	if err := yaml.Unmarshal([]byte(strings.Replace(string(raw), "not_scored:", "notScored:", 1)), &set); err != nil {
		t.Fatal(err)
	}
	for _, s := range set.NotScored {
		if s.Leg == "server" && s.Reason != "extension" {
			further = append(further, s.Scenario)
		}
	}
	if len(set.Server) < 30 || len(further) < 3 {
		t.Fatalf("revision %s requires %d scenarios, and %d more are run: does the file still have this form?", revision, len(set.Server), len(further))
	}
	return set.Server, further
}

// resultName is the folder in which the suite puts the checks of a scenario.
var resultName = regexp.MustCompile(`^server-(.+)-\d{4}-\d{2}-\d{2}T[0-9-]+Z$`)

// runSuite returns the checks of each scenario, and the suite's own verdict.
func runSuite(t *testing.T, node, url, revision string) (results map[string][]check, said []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	run := exec.CommandContext(t.Context(), node, filepath.Join(suite, "dist/index.js"), "server", "--url", url,
		"--requirements", revision, "--expected-failures", "baseline.yml", "--output-dir", dir)
	said, err = run.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running the suite: %v", err)
	}
	folders, readErr := os.ReadDir(dir)
	if readErr != nil {
		t.Fatal(readErr)
	}
	results = map[string][]check{}
	for _, folder := range folders {
		name := resultName.FindStringSubmatch(folder.Name())
		if name == nil {
			t.Fatalf("the suite wrote a folder %s: do results still have this form?", folder.Name())
		}
		raw, err := os.ReadFile(filepath.Join(dir, folder.Name(), "checks.json"))
		if err != nil {
			t.Fatal(err)
		}
		var checks []check
		if err := json.Unmarshal(raw, &checks); err != nil {
			t.Fatalf("%s: %v", folder.Name(), err)
		}
		results[name[1]] = checks
	}
	return results, summary(said), err
}

// summary is what the suite says at the end, without colours.
func summary(said []byte) []byte {
	if at := strings.Index(string(said), "=== SUMMARY ==="); at >= 0 {
		said = said[at:]
	}
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(said, nil)
}

// asksTheClient are the scenarios, and the single checks of others, in which a server has
// to ask the client for something. Nothing else may stand in the baseline.
var asksTheClient = regexp.MustCompile(`^(input-required-result-[a-z-]+|elicitation-[a-z0-9-]+|tools-call-(sampling|elicitation))(:[a-z0-9-]+)?$` +
	`|^server-stateless:sep-2575-(server-rejects-undeclared-capability|missing-capability-http-400)$`)

func TestBaselineHoldsOneDecision(t *testing.T) {
	raw, err := os.ReadFile("baseline.yml")
	if err != nil {
		t.Fatal(err)
	}
	var baseline map[string][]string
	if err := yaml.UnmarshalStrict(raw, &baseline); err != nil {
		t.Fatal(err)
	}
	if len(baseline) != 1 || len(baseline["server"]) == 0 {
		t.Fatalf("the baseline has the keys of %v, want server alone", baseline)
	}
	for _, entry := range baseline["server"] {
		if !asksTheClient.MatchString(entry) {
			t.Errorf("%s stands in the baseline, and nobody has to ask the client for anything there: mend the server", entry)
		}
	}
}
