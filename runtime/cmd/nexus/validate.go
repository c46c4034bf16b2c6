package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/server"
)

type validateFlags struct{ file, secretsDir, configMapsDir, output string }

func newValidate() *cobra.Command {
	var f validateFlags
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check a NexusApp manifest without a cluster",
		Long: "Check a NexusApp manifest without a cluster: the schema, the rules of the API, and every workflow.\n" +
			"What workflows name of ConfigMaps is part of them: it has to be there, in --configmaps-dir.\n" +
			"Exits with 0 when the manifest is valid and with 5 when it is not; warnings change nothing.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.validate(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&f.file, "filename", "f", "", "manifest to check; - is the standard input")
	cmd.Flags().StringVar(&f.secretsDir, "secrets-dir", "", "also check the Secrets that the manifest names, in this directory's <secret>/<entry>")
	cmd.Flags().StringVar(&f.configMapsDir, "configmaps-dir", "", "where the ConfigMaps are that the manifest names, as <configmap>/<entry>: definitions, OpenAPI documents, authorities")
	addOutputFlag(cmd, &f.output, "table")
	_ = cmd.MarkFlagRequired("filename")
	return cmd
}

// addOutputFlag adds --output with what it can be: a form for people, or JSON.
func addOutputFlag(cmd *cobra.Command, output *string, human string) {
	cmd.Flags().StringVarP(output, "output", "o", human, human+" or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{human, "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func badOutput(output, human string) error {
	return &exitError{exitUsage, fmt.Errorf("--output %q is not known: use %s or json", output, human)}
}

func (f validateFlags) validate(ctx context.Context, in io.Reader, out, errOut io.Writer) error {
	if f.output != "table" && f.output != "json" {
		return badOutput(f.output, "table")
	}
	raw, err := readFile(f.file, in)
	if err != nil {
		return err
	}
	app, doc, found := readApp(raw, f.configMapsDir)
	if len(found.problems) == 0 {
		found.problems = f.checkFiles(ctx, doc)
	}
	if f.output == "json" {
		err = printJSON(out, found)
	} else {
		err = printTable(out, errOut, app, found)
	}
	if err == nil && len(found.problems) > 0 {
		err = &exitError{exitInvalid, fmt.Errorf("%s is not valid: %s", f.file, count(len(found.problems), "problem"))}
	}
	return err
}

// checkFiles looks at what the pods would mount, as far as it was said where that is.
func (f validateFlags) checkFiles(ctx context.Context, doc config.Document) []config.Problem {
	if f.secretsDir != "" {
		return openFiles(ctx, doc, f.secretsDir, f.configMapsDir)
	}
	bundle := doc.Trust.CABundle
	if f.configMapsDir == "" || bundle == nil {
		return nil
	}
	if _, err := egress.OpenRoots(filepath.Join(f.configMapsDir, bundle.ConfigMapRef.Name), bundle.ConfigMapRef.Key); err != nil {
		return problemsOf(err)
	}
	return nil
}

// openFiles opens what the runtime would open, and serves nothing.
func openFiles(ctx context.Context, doc config.Document, secretsDir, configMapsDir string) []config.Problem {
	if doc.NeedsCluster() {
		// The cluster's keys are the operator's business. Any set of keys will do here.
		doc.Cluster = &config.ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: []byte(anyKeys)}
	}
	_, err := server.New(ctx, server.Options{Document: doc, SecretsDir: secretsDir, ConfigMapsDir: configMapsDir, Output: io.Discard})
	if err == nil {
		return nil
	}
	return problemsOf(err)
}

// problemsOf are the lines of an error of the runtime.
func problemsOf(err error) []config.Problem {
	var problems []config.Problem
	for line := range strings.SplitSeq(err.Error(), "\n") {
		field, message, found := strings.Cut(line, ": ")
		if !found || !strings.HasPrefix(field, "spec.") {
			field, message = "", line
		}
		problems = append(problems, config.Problem{Field: field, Message: message})
	}
	return problems
}

// anyKeys is a JWK set of one key, the example of RFC 8037 appendix A.2.
const anyKeys = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// finding is a problem in JSON.
type finding struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func toFindings(problems []config.Problem) []finding {
	out := make([]finding, len(problems))
	for i, p := range problems {
		out[i] = finding(p)
	}
	return out
}

func printJSON(out io.Writer, found findings) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Valid    bool      `json:"valid"`
		Problems []finding `json:"problems"`
		Warnings []finding `json:"warnings"`
	}{len(found.problems) == 0, toFindings(found.problems), toFindings(found.warnings)})
}

// printTable prints a line for the field and one for what to do about it, since both
// can be long. Warnings are no result: they go where errors go.
func printTable(out, errOut io.Writer, app *v1alpha1.NexusApp, found findings) error {
	for _, group := range []struct {
		name     string
		to       io.Writer
		problems []config.Problem
	}{{"PROBLEM", out, found.problems}, {"WARNING", errOut, found.warnings}} {
		for _, p := range group.problems {
			field := p.Field
			if field == "" {
				field = "(manifest)"
			}
			if _, err := fmt.Fprintf(group.to, "%-8s %s\n         %s\n", group.name, field, p.Message); err != nil {
				return err
			}
		}
	}
	if len(found.problems) > 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "nexusapp/%s is valid: %s\n", app.Name, count(len(app.Spec.Workflows), "workflow"))
	return err
}

// count says how many there are of what is named in the singular.
func count(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
