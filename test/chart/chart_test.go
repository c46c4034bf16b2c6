package chart

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

const aDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestManagerIsHardened(t *testing.T) {
	deployment, c := render(t).manager(t)
	pod := deployment.Spec.Template.Spec
	wantPod := &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532), RunAsGroup: ptr.To[int64](65532), FSGroup: ptr.To[int64](65532),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !reflect.DeepEqual(pod.SecurityContext, wantPod) {
		t.Errorf("pod security context\n got %+v\nwant %+v", pod.SecurityContext, wantPod)
	}
	wantContainer := &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), Privileged: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true), RunAsNonRoot: ptr.To(true),
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !reflect.DeepEqual(c.SecurityContext, wantContainer) {
		t.Errorf("container security context\n got %+v\nwant %+v", c.SecurityContext, wantContainer)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Volumes) != 0 {
		t.Errorf("the pod shares the host's namespaces or mounts a volume: %+v", pod)
	}
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Port.StrVal != "health" {
			t.Errorf("a probe is missing or does not ask the health port: %+v", p)
		}
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
		if request.IsZero() || limit.IsZero() {
			t.Errorf("%s has no request or no limit", name)
		}
	}
	if !slices.Contains(c.Args, "--leader-elect") {
		t.Errorf("two managers would both reconcile: %q", c.Args)
	}
}

func TestOnlyTheManagerGetsAToken(t *testing.T) {
	all := render(t)
	account := &corev1.ServiceAccount{}
	all.into(t, "ServiceAccount", release, account)
	if ptr.Deref(account.AutomountServiceAccountToken, true) {
		t.Error("every pod of this account gets a token")
	}
	deployment, _ := all.manager(t)
	if pod := deployment.Spec.Template.Spec; !ptr.Deref(pod.AutomountServiceAccountToken, false) || pod.ServiceAccountName != release {
		t.Errorf("the manager gets no token of its account: %+v", pod)
	}
}

func TestOpenShiftChoosesTheIDs(t *testing.T) {
	deployment, _ := render(t, "--api-versions", "security.openshift.io/v1").manager(t)
	got := deployment.Spec.Template.Spec.SecurityContext
	if got.RunAsUser != nil || got.RunAsGroup != nil || got.FSGroup != nil || !ptr.Deref(got.RunAsNonRoot, false) {
		t.Errorf("ids are set where the platform sets them: %+v", got)
	}
}

func TestImages(t *testing.T) {
	for name, tc := range map[string]struct {
		args             []string
		manager, runtime string
	}{
		"the chart's version": {nil, "ghcr.io/nexus-operator/manager:0.1.0", "ghcr.io/nexus-operator/runtime:0.1.0"},
		"tags":                {[]string{"image.tag=a", "runtimeImage.tag=b"}, "ghcr.io/nexus-operator/manager:a", "ghcr.io/nexus-operator/runtime:b"},
		"a digest wins": {
			[]string{"image.tag=a", "image.digest=" + aDigest, "runtimeImage.tag=b", "runtimeImage.digest=" + aDigest},
			"ghcr.io/nexus-operator/manager@" + aDigest, "ghcr.io/nexus-operator/runtime@" + aDigest,
		},
		"a registry with a port": {
			[]string{"image.repository=localhost:5000/m", "runtimeImage.repository=localhost:5000/team/r"},
			"localhost:5000/m:0.1.0", "localhost:5000/team/r:0.1.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := render(t, sets(tc.args...)...).manager(t)
			if c.Image != tc.manager {
				t.Errorf("manager image %s, want %s", c.Image, tc.manager)
			}
			if want := "--runtime-image=" + tc.runtime; !slices.Contains(c.Args, want) {
				t.Errorf("no argument %s in %q", want, c.Args)
			}
		})
	}
}

func TestValuesReachThePod(t *testing.T) {
	deployment, c := render(t, append(sets("image.pullPolicy=Always", "logLevel=debug", "priorityClassName=system-cluster-critical",
		"nodeSelector.pool=system", "podLabels.team=platform", "podAnnotations.note=hello", "imagePullSecrets[0].name=pull",
		"tolerations[0].key=dedicated", "tolerations[0].operator=Exists", "resources.limits.memory=512Mi"),
		"--set-json", `affinity={"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"zone"}}]}}`)...).manager(t)
	template := deployment.Spec.Template
	pod := template.Spec
	for what, ok := range map[string]bool{
		"image.pullPolicy":  c.ImagePullPolicy == corev1.PullAlways,
		"logLevel":          slices.Contains(c.Args, "--zap-log-level=debug"),
		"priorityClassName": pod.PriorityClassName == "system-cluster-critical",
		"nodeSelector":      pod.NodeSelector["pool"] == "system",
		"podLabels":         template.Labels["team"] == "platform",
		"podAnnotations":    template.Annotations["note"] == "hello",
		"imagePullSecrets":  len(pod.ImagePullSecrets) == 1 && pod.ImagePullSecrets[0].Name == "pull",
		"tolerations":       len(pod.Tolerations) == 1 && pod.Tolerations[0].Key == "dedicated",
		"affinity":          pod.Affinity != nil && pod.Affinity.PodAntiAffinity != nil,
		"resources":         c.Resources.Limits.Memory().String() == "512Mi" && c.Resources.Limits.Cpu().String() == "1",
	} {
		if !ok {
			t.Errorf("%s does not reach the pod", what)
		}
	}
}

func TestMoreThanOneReplica(t *testing.T) {
	if budget := render(t).find("PodDisruptionBudget", release); budget != nil {
		t.Error("a budget of one pod would block every node drain")
	}
	all := render(t, sets("replicas=2")...)
	deployment, _ := all.manager(t)
	if *deployment.Spec.Replicas != 2 || len(deployment.Spec.Template.Spec.TopologySpreadConstraints) != 1 {
		t.Errorf("want 2 replicas that are spread: %+v", deployment.Spec)
	}
	budget := &policyv1.PodDisruptionBudget{}
	all.into(t, "PodDisruptionBudget", release, budget)
	podLabels := labels.Set(deployment.Spec.Template.Labels)
	for what, selector := range map[string]*metav1.LabelSelector{
		"the Deployment": deployment.Spec.Selector, "the budget": budget.Spec.Selector,
		"the spread": deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() || !s.Matches(podLabels) {
			t.Errorf("%s does not select the pods (%v)", what, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	all := render(t)
	service := &corev1.Service{}
	all.into(t, "Service", release+"-metrics", service)
	deployment, c := all.manager(t)
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(deployment.Spec.Template.Labels)) {
		t.Errorf("the Service %v does not select the pods %v", service.Spec.Selector, deployment.Spec.Template.Labels)
	}
	target := service.Spec.Ports[0].TargetPort.StrVal
	if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == target && p.ContainerPort == 8080 }) {
		t.Errorf("the container has no port %s: %v", target, c.Ports)
	}
	off := render(t, sets("metrics.enabled=false")...)
	_, c = off.manager(t)
	if off.find("Service", release+"-metrics") != nil || !slices.Contains(c.Args, "--metrics-bind-address=0") || len(c.Ports) != 1 {
		t.Errorf("metrics are still served: %q %v", c.Args, c.Ports)
	}
}

// TestAppsLetTheManagerIn finds the manager by the labels that the NetworkPolicy of an
// app with Redis admits to the admin port.
func TestAppsLetTheManagerIn(t *testing.T) {
	app := &v1alpha1.NexusApp{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "team-a"}}
	app.Spec.Environment = v1alpha1.Development
	app.Spec.Redis = &v1alpha1.Redis{URLSecretRef: v1alpha1.SecretKeyReference{Name: "shop-redis", Key: "url"}}
	objects, err := desired.Build(desired.Input{App: app, OperatorNamespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	deployment, _ := render(t).manager(t)
	for _, object := range objects {
		policy, ok := object.(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			for _, peer := range rule.From {
				selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
				if err == nil && selector.Matches(labels.Set(deployment.Spec.Template.Labels)) {
					return
				}
			}
		}
	}
	t.Errorf("no app admits pods with the labels %v", deployment.Spec.Template.Labels)
}

func TestCRDIsCurrentAndKept(t *testing.T) {
	crd := render(t).find("CustomResourceDefinition", "nexusapps.nexus.dev")
	if crd == nil {
		t.Fatal("the chart installs no CRD")
	}
	annotations := crd.GetAnnotations()
	if annotations["helm.sh/resource-policy"] != "keep" {
		t.Errorf("uninstalling would delete every NexusApp: %v", annotations)
	}
	delete(annotations, "helm.sh/resource-policy")
	crd.SetAnnotations(annotations)
	if want := readYAML(t, "../../config/crd/bases/nexus.dev_nexusapps.yaml"); !reflect.DeepEqual(crd.Object, want) {
		t.Error("the chart's CRD is not config/crd's: run 'make generate'")
	}
	for _, object := range render(t, sets("crds.install=false")...) {
		if object.GetKind() == "CustomResourceDefinition" {
			t.Error("crds.install=false installs the CRD")
		}
	}
}

// TestNotesWork reads the manifest that the notes tell the user to apply, as the
// runtime would.
func TestNotesWork(t *testing.T) {
	notes, err := os.ReadFile(folder + "/templates/NOTES.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(notes), "<<'EOF'\n")
	manifest, _, found := strings.Cut(rest, "   EOF\n")
	if !found {
		t.Fatalf("no manifest in the notes:\n%s", notes)
	}
	app, problems := config.ReadManifest([]byte(manifest))
	if len(problems) > 0 {
		t.Fatalf("the notes' manifest is refused: %v", problems)
	}
	if _, errs := config.FromApp(app, nil); len(errs) > 0 {
		t.Errorf("the notes' manifest is refused: %v", errs)
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ set, names string }{
		"misspelt":              {"replica=2", "replica"},
		"misspelt below":        {"image.tagg=a", "tagg"},
		"not a digest":          {"image.digest=sha256:abc", "/image/digest"},
		"tag in the repository": {"runtimeImage.repository=a/b:c", "/runtimeImage/repository"},
		"no replica":            {"replicas=0", "/replicas"},
		"unknown log level":     {"logLevel=loud", "/logLevel"},
		"text for a boolean":    {"crds.install=maybe", "/crds/install"},
		"unknown pull policy":   {"image.pullPolicy=Sometimes", "/image/pullPolicy"},
		"a label of the chart":  {`podLabels.app\.kubernetes\.io/name=x`, "app.kubernetes.io/name"},
		"not a name":            {"fullnameOverride=No_Name", "/fullnameOverride"},
	} {
		t.Run(name, func(t *testing.T) {
			_, refusal := helm(t, "--set", tc.set)
			if !strings.Contains(refusal, tc.names) {
				t.Errorf("want a refusal that names %q, got %q", tc.names, refusal)
			}
		})
	}
}

func sets(values ...string) []string {
	var args []string
	for _, v := range values {
		args = append(args, "--set", v)
	}
	return args
}

func readYAML(t *testing.T, path string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := yaml.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
