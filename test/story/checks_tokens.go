package story

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// podCall is a call that a pod makes with the command line, and what comes of it.
type podCall struct {
	name           string // of the pod
	serviceAccount string
	audience       string // of its token; empty for none
	app, workflow  string // that is called
	exitCode       int32  // of 'nexus run': 0 it ran, 3 it was refused
	said           string // among what it printed
}

var podCalls = []podCall{
	{"front-calls-back", "front", "https://back.team-a.svc", "back", "stock", 0, `"pieces": 7`},
	{"back-calls-front", "back", "https://front.team-a.svc", "front", "notify", 0, `"noted": "A-1"`},
	{"other-audience", "front", "https://front.team-a.svc", "back", "stock", 3, "unauthenticated"},
	{"other-account", "default", "https://back.team-a.svc", "back", "stock", 3, "unauthenticated"},
	{"no-token", "front", "", "back", "stock", 3, "unauthenticated"},
}

// checkPodToPod applies two apps that let only each other's pods in, and calls them
// from pods.
func checkPodToPod(ctx context.Context, e *Env) (string, error) {
	for _, app := range []string{"front", "back"} {
		if _, err := e.RunKubectl(ctx, "apply", "-n", Namespace, "-f", "config/samples/"+app+".yaml"); err != nil {
			return "", err
		}
	}
	for _, app := range []string{"front", "back"} {
		if err := e.waitFor(ctx, app, "condition=Ready", 3*time.Minute); err != nil {
			return "", err
		}
	}
	for _, c := range podCalls {
		if err := e.startPod(ctx, c); err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, c := range podCalls {
		if err := e.judgePod(ctx, c); err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return "with their ServiceAccount's token each ran the other's workflow; another audience, another ServiceAccount and no token got 401", nil
}

func (e *Env) startPod(ctx context.Context, c podCall) error {
	manifest, err := json.Marshal(e.pod(c))
	if err != nil {
		return err
	}
	if _, err := e.RunKubectl(ctx, "delete", "pod", "-n", Namespace, c.name, "--ignore-not-found", "--wait"); err != nil {
		return err
	}
	_, err = e.RunKubectlIn(ctx, string(manifest), "create", "-n", Namespace, "-f", "-")
	return err
}

// judgePod waits for the end of a pod and compares it with what was expected.
func (e *Env) judgePod(ctx context.Context, c podCall) error {
	var pod corev1.Pod
	err := Until(ctx, 2*time.Minute, func(ctx context.Context) error {
		if err := e.get(ctx, &pod, "pod", "-n", Namespace, c.name); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("the pod is %s", pod.Status.Phase)
		}
		return nil
	})
	if err != nil {
		return err
	}
	said, err := e.RunKubectl(ctx, "logs", "-n", Namespace, c.name)
	if err != nil {
		return err
	}
	if code := pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != c.exitCode || !strings.Contains(said, c.said) {
		return fmt.Errorf("exit code %d, want %d and %s in: %s", code, c.exitCode, c.said, tail(said, 300))
	}
	return nil
}

// pod runs 'nexus run' once, with a token for an audience where one is asked for.
func (e *Env) pod(c podCall) corev1.Pod {
	yes, no, minutes := true, false, int64(600)
	args := []string{"run", c.workflow, "--server", "http://" + c.app + "." + Namespace + ".svc:8000", "--input", "sku=A-1"}
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	if c.audience != "" {
		// The apps serve plain HTTP, and the way does not leave the cluster.
		args = append(args, "--token-file", "/var/run/token/token", "--insecure-http")
		volumes = []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: c.audience, ExpirationSeconds: &minutes, Path: "token",
			}}},
		}}}}
		mounts = []corev1.VolumeMount{{Name: "token", MountPath: "/var/run/token", ReadOnly: true}}
	}
	pod := corev1.Pod{Spec: corev1.PodSpec{
		ServiceAccountName: c.serviceAccount, AutomountServiceAccountToken: &no, RestartPolicy: corev1.RestartPolicyNever, Volumes: volumes,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "nexus", Image: e.RuntimeImage, ImagePullPolicy: corev1.PullIfNotPresent, Args: args, VolumeMounts: mounts,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}}
	pod.APIVersion, pod.Kind, pod.Name = "v1", "Pod", c.name
	return pod
}
