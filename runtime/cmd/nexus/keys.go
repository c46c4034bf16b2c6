package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make API keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newKeysNew())
	return cmd
}

type keyFlags struct {
	client, expires    string
	roles              []string
	secret, namespace  string
	manifest, outputAs string
}

func newKeysNew() *cobra.Command {
	var f keyFlags
	cmd := &cobra.Command{
		Use:   "new --client NAME",
		Short: "Make an API key and the Secret that lets it in",
		Long: "Make an API key and the Secret that lets it in. The key is shown this once, on the standard error output; of it only\n" +
			"a digest is in the Secret manifest on the standard output (or in --manifest FILE, and then the key is on the standard output).",
		Example: "  nexus keys new --client web --role buyer --secret-name shop-api-keys | kubectl apply -n team-a -f -",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return newKey(f, cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.client, "client", "", "name of the client: letters, digits, - and _")
	flags.StringArrayVar(&f.roles, "role", nil, "role of the client; may be repeated")
	flags.StringVar(&f.expires, "expires", "", "when the key stops working: a time (2027-01-31T00:00:00Z) or from now (90d, 12h); default never")
	flags.StringVar(&f.secret, "secret-name", "nexus-api-keys", "name of the Secret in the manifest")
	flags.StringVar(&f.namespace, "namespace", "", "namespace of the Secret in the manifest; default none")
	flags.StringVar(&f.manifest, "manifest", "", "write the Secret manifest to this file")
	addOutputFlag(cmd, &f.outputAs, "yaml")
	_ = cmd.MarkFlagRequired("client")
	return cmd
}

var clientName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// newKeyReply is the key and its entry in JSON.
type newKeyReply struct {
	Key    string `json:"key"`
	Client string `json:"client"`
	// Entry is the name of the Secret's entry and Value what it holds.
	Entry string `json:"entry"`
	Value string `json:"value"`
}

func newKey(f keyFlags, out, errOut io.Writer, now time.Time) error {
	if f.outputAs != "yaml" && f.outputAs != "json" {
		return badOutput(f.outputAs, "yaml")
	}
	if err := f.check(); err != nil {
		return &exitError{exitUsage, err}
	}
	reply, err := mint(f, now)
	if err != nil {
		return err
	}
	if f.outputAs == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(reply)
	}
	manifest, err := secretManifest(f, reply)
	if err != nil {
		return err
	}
	if f.manifest != "" {
		if err := os.WriteFile(f.manifest, manifest, 0o600); err != nil {
			return fmt.Errorf("writing the manifest: %w", err)
		}
		_, err = fmt.Fprintln(out, reply.Key)
		return err
	}
	if _, err := out.Write(manifest); err != nil {
		return err
	}
	_, err = fmt.Fprintf(errOut, "The key of %s, which is shown only now:\n\n  %s\n\n"+
		"Apply the manifest, or add its entry to a Secret that has others:\n"+
		"  kubectl patch secret %s --type merge -p '%s'\n", f.client, reply.Key, f.target(), patch(reply))
	return err
}

// check looks at the flags that need no clock.
func (f keyFlags) check() error {
	if !clientName.MatchString(f.client) {
		return fmt.Errorf("--client %q: use 1 to 63 letters, digits, - and _", f.client)
	}
	if problems := validation.IsDNS1123Subdomain(f.secret); len(problems) > 0 {
		return fmt.Errorf("--secret-name %q: %s", f.secret, problems[0])
	}
	if problems := validation.IsDNS1123Label(f.namespace); f.namespace != "" && len(problems) > 0 {
		return fmt.Errorf("--namespace %q: %s", f.namespace, problems[0])
	}
	if f.outputAs == "json" && f.manifest != "" {
		return errors.New("--manifest: the Secret is not written with --output json: leave one of the two out")
	}
	return nil
}

// target is the Secret as kubectl's arguments name it.
func (f keyFlags) target() string {
	if f.namespace == "" {
		return f.secret
	}
	return f.secret + " --namespace " + f.namespace
}

// mint makes a key, and checks its entry as the runtime will.
func mint(f keyFlags, now time.Time) (newKeyReply, error) {
	expires, err := parseExpiry(f.expires, now)
	if err != nil {
		return newKeyReply{}, &exitError{exitUsage, err}
	}
	key, err := auth.NewKey()
	if err != nil {
		return newKeyReply{}, err
	}
	value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256, Roles: f.roles, Expires: expires})
	if err != nil {
		return newKeyReply{}, fmt.Errorf("rendering the entry: %w", err)
	}
	if _, err := v1alpha1.ParseAPIKeyEntry(value); err != nil {
		return newKeyReply{}, &exitError{exitUsage, errors.New("--role: " + strings.TrimPrefix(err.Error(), "roles: "))}
	}
	return newKeyReply{Key: key.Key, Client: f.client, Entry: f.client + "." + key.ID, Value: string(value)}, nil
}

const (
	day = 24 * time.Hour
	// maxDays is the longest that a key can be told to last by a duration: 100 years.
	maxDays = 36500
)

// parseExpiry reads a time, or a duration from now in which d stands for 24 hours.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		var in time.Duration
		if days, isDays := strings.CutSuffix(text, "d"); isDays {
			n, parseErr := strconv.Atoi(days)
			// So many days that they overflow are as good as one too many.
			in, err = time.Duration(min(max(n, -1), maxDays+1))*day, parseErr
		} else {
			in, err = time.ParseDuration(text)
		}
		if err == nil && in > maxDays*day {
			return time.Time{}, fmt.Errorf("--expires %q: write a time like 2027-01-31T00:00:00Z, or a duration of at most 100 years (%dd)", text, maxDays)
		}
		at = now.Add(in).UTC().Truncate(time.Second)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("--expires %q: write a time like 2027-01-31T00:00:00Z, or a duration like 90d or 12h", text)
	}
	if !at.After(now) {
		return time.Time{}, errors.New("--expires is not in the future: the key would never work")
	}
	return at, nil
}

// secretManifest renders the Secret. stringData keeps the entry readable.
func secretManifest(f keyFlags, reply newKeyReply) ([]byte, error) {
	metadata := map[string]string{"name": f.secret}
	if f.namespace != "" {
		metadata["namespace"] = f.namespace
	}
	manifest, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
		"stringData": map[string]string{reply.Entry: reply.Value},
	})
	if err != nil {
		return nil, fmt.Errorf("rendering the Secret: %w", err)
	}
	return manifest, nil
}

// patch is a merge patch that adds the entry to a Secret.
func patch(reply newKeyReply) string {
	raw, err := json.Marshal(map[string]any{"stringData": map[string]string{reply.Entry: reply.Value}})
	if err != nil {
		return "" // strings always marshal
	}
	// It stands in single quotes of a shell.
	return strings.ReplaceAll(string(raw), "'", `\u0027`)
}
