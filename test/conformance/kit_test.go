// Package conformance holds the workflow engine against the Open Workflow Specification:
// its conformance kit, features of our own in the kit's language, its examples and its
// schema, and Debian's jq. What calls leave by is the real one; where they arrive are
// stand-ins on the loopback interface.
//
// The specification's data files are read from the directory that the variable OWS
// names; see the target conformance of the Makefile. Tests that need them are skipped
// without it.
package conformance

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/cucumber/godog"
)

// specification is the directory of the specification's data files.
func specification(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("OWS")
	if dir == "" {
		t.Skip("the environment variable OWS does not name the directory of the specification's data files: run 'make conformance'")
	}
	if _, err := os.Stat(filepath.Join(dir, "ctk", "features")); err != nil {
		t.Skipf("the data files of the Open Workflow Specification are not in %s: put them there, or say 'make conformance OWS=DIR'", dir)
	}
	return dir
}

// TestKit runs the specification's conformance kit as it is.
func TestKit(t *testing.T) {
	passed, all := features(t, filepath.Join(specification(t), "ctk", "features"), t)
	fmt.Printf("conformance kit: %d of %d scenarios\n", passed, all)
	if passed != 21 {
		t.Errorf("%d scenarios of the conformance kit passed, want 21", passed)
	}
}

// TestFeatures runs our own features: what the specification says and the kit does not
// ask for, and what we add and refuse.
func TestFeatures(t *testing.T) {
	passed, all := features(t, "features", t)
	fmt.Printf("own features: %d of %d scenarios\n", passed, all)
	if passed < 500 {
		t.Errorf("only %d scenarios passed: there were more than 500 of them", passed)
	}
}

// TestSteps runs scenarios that are all wrong, so that none of the steps says yes to
// everything.
func TestSteps(t *testing.T) {
	passed, all := features(t, "testdata/wrong", nil)
	if passed > 0 || all < 50 {
		t.Errorf("%d of %d wrong scenarios passed", passed, all)
	}
}

// features runs every scenario of a directory, as a test of its own where there is
// another one to hold them. A step that has no definition fails.
func features(t *testing.T, dir string, within *testing.T) (passed, all int64) {
	t.Helper()
	roots := trusted(t)
	var good, total atomic.Int64
	suite := godog.TestSuite{
		ScenarioInitializer: func(sc *godog.ScenarioContext) {
			s := newScenario(roots)
			s.steps(sc)
			total.Add(1)
			sc.After(s.end(&good))
		},
		Options: &godog.Options{Format: "progress", Output: io.Discard, Paths: []string{dir}, Strict: true, TestingT: within, DefaultContext: t.Context()},
	}
	if suite.Run() != 0 && within != nil && !t.Failed() {
		t.Error("the features could not be run")
	}
	return good.Load(), total.Load()
}
