package story

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// clients of the story; each has a bucket of its own, so that one check does not
// spend another's limit. Those of the load come on top.
var clients = map[string][]string{
	"demo":    {"buyer"},
	"flood":   {"buyer"},
	"later":   {"buyer"},
	"again":   {"buyer"},
	"rotated": {"buyer"},
	"agent":   {"buyer"},
	"both":    {"buyer"},
	"guest":   nil,
}

// Setup installs the operator with Helm, makes a restricted namespace, API keys, Redis
// and the sample app, and watches its conditions until it is Ready.
func (e *Env) Setup(ctx context.Context) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"installing the operator with Helm", e.installOperator},
		{"making namespace " + Namespace + ", with Pod Security restricted", e.makeNamespace},
		{"making API keys with 'nexus keys new'", e.makeKeys},
		{"deploying Redis, with TLS and a user of few rights", e.deployRedis},
		{"applying the sample NexusApp", e.applySample},
		{"waiting for condition Ready", e.awaitSample},
	} {
		start := time.Now()
		e.Log("%s ...", step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		e.Log("%s: done (%.1f s)", step.name, time.Since(start).Seconds())
	}
	return nil
}

// Teardown removes what Setup made: the CustomResourceDefinition too, unless others use it.
func (e *Env) Teardown(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "nexusapp", "-n", Namespace, "--all", "--ignore-not-found", "--wait"},
		{"delete", "namespace", Namespace, "--ignore-not-found", "--wait"},
	} {
		e.Log("kubectl %s", strings.Join(args, " "))
		if _, err := e.RunKubectl(ctx, args...); err != nil && !strings.Contains(err.Error(), "the server doesn't have a resource type") {
			return err
		}
	}
	e.Log("helm uninstall %s", Release)
	if err := e.UninstallOperator(ctx); err != nil {
		return err
	}
	made := []string{"namespace/" + SystemNamespace}
	// Deleting the CRD deletes every NexusApp, also of others.
	others, err := e.RunKubectl(ctx, "get", "nexusapps", "-A", "--no-headers", "-o", "custom-columns=N:.metadata.namespace,A:.metadata.name")
	if err == nil && strings.TrimSpace(others) != "" {
		e.Log("the CRD stays, since there are other NexusApps:\n%s", others)
	} else {
		made = append(made, "crd/nexusapps.nexus.dev")
	}
	_, err = e.RunKubectl(ctx, append([]string{"delete", "--ignore-not-found", "--wait"}, made...)...)
	return err
}

func (e *Env) installOperator(ctx context.Context) error { return e.InstallOperator(ctx) }

// InstallOperator installs or upgrades the chart, with further arguments for Helm.
func (e *Env) InstallOperator(ctx context.Context, args ...string) error {
	if err := e.applyNamespace(ctx, SystemNamespace); err != nil {
		return err
	}
	_, err := e.run(ctx, "", e.Helm, append([]string{"upgrade", "--install", Release, "charts/nexus-operator", "--namespace", SystemNamespace,
		"--wait", "--timeout", "180s"}, append(e.imageValues(), args...)...)...)
	return err
}

// UninstallOperator removes the release; CRD, apps and pods stay.
func (e *Env) UninstallOperator(ctx context.Context) error {
	_, err := e.run(ctx, "", e.Helm, "uninstall", Release, "-n", SystemNamespace, "--ignore-not-found", "--wait")
	return err
}

// imageValues are the Helm values that choose the images.
func (e *Env) imageValues() []string {
	managerName, managerTag := splitImage(e.ManagerImage)
	runtimeName, runtimeTag := splitImage(e.RuntimeImage)
	return []string{
		"--set", "image.repository=" + managerName, "--set", "image.tag=" + managerTag,
		"--set", "runtimeImage.repository=" + runtimeName, "--set", "runtimeImage.tag=" + runtimeTag,
	}
}

func splitImage(image string) (name, tag string) {
	at := strings.LastIndex(image, ":")
	return image[:at], image[at+1:]
}

func (e *Env) applyNamespace(ctx context.Context, name string) error {
	_, err := e.RunKubectlIn(ctx, fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{
"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/enforce-version":"latest"}}}`, name), "apply", "-f", "-")
	return err
}

func (e *Env) makeNamespace(ctx context.Context) error { return e.applyNamespace(ctx, Namespace) }

// newKey makes a key with the command line and returns it with the entry of the
// Secret that holds its digest.
func (e *Env) newKey(ctx context.Context, client string, roles []string) (key, entryName, entry string, err error) {
	args := []string{"keys", "new", "--client", client, "--output", "json"}
	for _, role := range roles {
		args = append(args, "--role", role)
	}
	out, err := e.run(ctx, "", e.Nexus, args...)
	if err != nil {
		return "", "", "", err
	}
	var made struct {
		Key   string `json:"key"`
		Entry string `json:"entry"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return "", "", "", fmt.Errorf("reading the new key: %w", err)
	}
	return made.Key, made.Entry, made.Value, nil
}

func (e *Env) makeKeys(ctx context.Context) error {
	data := map[string]string{}
	all := maps.Clone(clients)
	for i := range loadClients {
		all[loadClient(i)] = nil
	}
	for client, roles := range all {
		key, name, value, err := e.newKey(ctx, client, roles)
		if err != nil {
			return err
		}
		e.keys[client] = key
		data[name] = value
	}
	return e.applySecret(ctx, KeySecret, data)
}

func (e *Env) applySecret(ctx context.Context, name string, data map[string]string) error {
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": Namespace}, "stringData": data,
	})
	if err != nil {
		return err
	}
	// Deleting and creating would leave a moment without the Secret; replace sets
	// exactly these entries in one write.
	_, err = e.RunKubectlIn(ctx, string(manifest), "replace", "-f", "-")
	if err != nil && strings.Contains(err.Error(), "NotFound") {
		_, err = e.RunKubectlIn(ctx, string(manifest), "create", "-f", "-")
	}
	return err
}

func (e *Env) applySample(ctx context.Context) error {
	_, err := e.RunKubectl(ctx, "apply", "-n", Namespace, "-f", "config/samples/nexus_v1alpha1_nexusapp.yaml")
	return err
}

func (e *Env) awaitSample(ctx context.Context) error {
	for _, condition := range []string{"Accepted", "ReferencesResolved", "Available", "Enforced", "Ready"} {
		start := time.Now()
		if err := e.wait(ctx, "condition="+condition, 3*time.Minute); err != nil {
			return err
		}
		e.Log("  %s is True (%.1f s)", condition, time.Since(start).Seconds())
	}
	caller, err := e.newCaller(ctx, App, portAPI)
	if err != nil {
		return err
	}
	e.call = caller
	e.Log("  calls go through %s", caller.via)
	return nil
}
