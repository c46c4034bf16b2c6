package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

func newVerify() *cobra.Command {
	var file, configMapsDir string
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:   "verify -f FILE",
		Short: "Hold a NexusApp manifest against the production checklist, without a cluster",
		Long: `Hold a NexusApp manifest against the production checklist, without a cluster. These are the checks of the condition
SecurityPosture; what the environment requires, and no acknowledged risk covers, refuses the app.

Exits with 0 when the manifest is valid, whatever checks it fails, and with 5 when it is not.`,
		Example: `  nexus verify -f app.yaml
  nexus verify -f app.yaml --output json | jq -e '.failed == []'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := readFile(file, cmd.InOrStdin())
			if err != nil {
				return err
			}
			app, _, found := readApp(raw, configMapsDir)
			v := judge(app, found)
			text, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("writing the verdict: %w", err)
			}
			if app != nil || format != formatFlag(cli.Table) {
				if err := format.print(cmd, text, func() error { return cli.WriteTable(cmd.OutOrStdout(), v.rows()) }); err != nil {
					return err
				}
			}
			if !v.Valid {
				return invalid(file, found.problems)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "manifest to check; - is the standard input")
	cmd.Flags().StringVar(&configMapsDir, "configmaps-dir", "", "where the ConfigMaps are that the manifest names, as <configmap>/<entry>")
	addFormatFlag(cmd, &format, "")
	_ = cmd.MarkFlagDirname("configmaps-dir")
	_ = cmd.MarkFlagRequired("filename")
	return cmd
}

// verdict is how a manifest stands against the checklist.
type verdict struct {
	Valid       bool                 `json:"valid"`
	Environment v1alpha1.Environment `json:"environment,omitempty"`
	// Score is how many checks pass, as in the status of the resource.
	Score    string    `json:"score,omitempty"`
	Failed   []string  `json:"failed"`
	Checks   []checked `json:"checks"`
	Problems []finding `json:"problems"`
}

// checked is a check, and why it may fail.
type checked struct {
	v1alpha1.Check
	// Acknowledged is the reason with which the manifest takes the risk.
	Acknowledged string `json:"acknowledged,omitempty"`
}

// judge holds an app against the checklist; one that could not be read is nil.
func judge(app *v1alpha1.NexusApp, found findings) verdict {
	v := verdict{Valid: len(found.problems) == 0, Failed: []string{}, Checks: []checked{}, Problems: toFindings(found.problems)}
	if app == nil {
		return v
	}
	spec := app.Spec.DeepCopy()
	v1alpha1.SetDefaults(spec)
	v.Environment = spec.Environment
	checks := v1alpha1.Posture(spec)
	for _, c := range checks {
		one := checked{Check: c}
		if !c.Passed {
			v.Failed = append(v.Failed, c.ID)
			one.Acknowledged, _ = spec.Acknowledged(c.Risk)
		}
		v.Checks = append(v.Checks, one)
	}
	v.Score = fmt.Sprintf("%d/%d", len(checks)-len(v.Failed), len(checks))
	return v
}

// rows are the checks as a table.
func (v verdict) rows() [][]string {
	rows := [][]string{{"CHECK", "RESULT", "FOUND", "FIX"}}
	for _, c := range v.Checks {
		result := "passed"
		switch {
		case c.Passed:
		case c.Acknowledged != "":
			result = "acknowledged"
		case c.Required:
			result = "failed"
		default:
			result = "noted"
		}
		rows = append(rows, []string{c.ID, result, c.Message, c.Fix})
	}
	return append(rows, []string{}, []string{fmt.Sprintf("%s checks of the production checklist pass in %s", v.Score, v.Environment)})
}
