package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const podSelector = "app.kubernetes.io/instance=" + App

// Pods returns the app's pods that run and are not on their way out.
func (e *Env) Pods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := e.get(ctx, &list, "pods", "-n", Namespace, "-l", podSelector, "--field-selector=status.phase=Running"); err != nil {
		return nil, err
	}
	// A pod on its way out still runs, and takes no more requests.
	running := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(running) == 0 {
		return nil, errors.New("no running pods")
	}
	return running, nil
}

func checkRestricted(ctx context.Context, e *Env) (string, error) {
	level, err := e.RunKubectl(ctx, "get", "namespace", Namespace, "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`)
	if err != nil {
		return "", err
	}
	if level != "restricted" {
		return "", fmt.Errorf("namespace enforces %q", level)
	}
	// The label is worth something only if it refuses: a root pod must not get in.
	_, err = e.RunKubectl(ctx, "run", "-n", Namespace, "privileged-probe", "--image="+e.RuntimeImage, "--privileged", "--restart=Never", "--dry-run=server")
	if err := failedWith(err, "violates PodSecurity"); err != nil {
		return "", fmt.Errorf("a privileged pod: %w", err)
	}
	pods, err := e.Pods(ctx)
	return fmt.Sprintf("%d pods admitted, a privileged pod refused", len(pods)), err
}

func checkNonRoot(ctx context.Context, e *Env) (string, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		status, err := e.RunKubectl(ctx, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:9090/proxy/status", Namespace, pod.Name))
		if err != nil {
			return "", err
		}
		if !strings.Contains(status, `"uid": 1000`) {
			return "", fmt.Errorf("pod %s does not run as uid 1000: %s", pod.Name, tail(status, 300))
		}
	}
	return fmt.Sprintf("%d pods run as uid 1000", len(pods)), nil
}

// checkReadOnly writes a file from inside a pod, with the only program there is.
func checkReadOnly(ctx context.Context, e *Env) (string, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return "", err
	}
	for _, path := range []string{"/proof.yaml", "/etc/nexus/proof.yaml", "/tmp/proof.yaml"} {
		_, err = e.RunKubectl(ctx, "exec", "-n", Namespace, pods[0].Name, "--", "/nexus", "keys", "new", "--client", "probe", "--manifest", path)
		if err == nil {
			return "", fmt.Errorf("a write to %s succeeded", path)
		}
		if !strings.Contains(err.Error(), "read-only file system") && !strings.Contains(err.Error(), "no such file or directory") {
			return "", fmt.Errorf("a write to %s failed for another reason: %w", path, err)
		}
	}
	_, err = e.RunKubectl(ctx, "exec", "-n", Namespace, pods[0].Name, "--", "/nexus", "keys", "new", "--client", "probe", "--manifest", "/proof.yaml")
	if err := failedWith(err, "read-only file system"); err != nil {
		return "", err
	}
	return "write to / from inside: read-only file system", nil
}

func checkNoToken(ctx context.Context, e *Env) (string, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		for _, v := range pod.Spec.Volumes {
			if v.Projected == nil {
				continue
			}
			for _, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil {
					return "", fmt.Errorf("pod %s mounts a token in volume %s", pod.Name, v.Name)
				}
			}
		}
	}
	_, err = e.RunKubectl(ctx, "exec", "-n", Namespace, pods[0].Name, "--", "/nexus", "validate", "-f", "/var/run/secrets/kubernetes.io/serviceaccount/token")
	if err := failedWith(err, "no such file or directory"); err != nil {
		return "", fmt.Errorf("reading the token from inside: %w", err)
	}
	return "no token volume, no token file", nil
}

func checkColumns(ctx context.Context, e *Env) (string, error) {
	out, err := e.RunKubectl(ctx, "get", "nexusapps", "-n", Namespace)
	if err != nil {
		return "", err
	}
	for _, want := range []string{"ENVIRONMENT", "READY", "REPLICAS", "AUTH", "POSTURE", "ENDPOINT", "AGE", "Production", "Required", "http://shop.team-a.svc:8000"} {
		if !strings.Contains(out, want) {
			return "", fmt.Errorf("no %s in:\n%s", want, out)
		}
	}
	return "\n" + strings.TrimSpace(out), nil
}
