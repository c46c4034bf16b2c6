package status_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/status"
)

var (
	earlier = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	now     = metav1.NewTime(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
)

const current, old = "0123456789", "9876543210"

func app() *v1alpha1.NexusApp {
	return &v1alpha1.NexusApp{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "team-a", Generation: 4},
		Spec: v1alpha1.NexusAppSpec{
			Environment: v1alpha1.Production, Replicas: ptr.To[int32](3),
			AcknowledgedRisks: []v1alpha1.AcknowledgedRisk{{Name: v1alpha1.RiskPerPodLimits, Reason: "soon"}},
			Auth:              v1alpha1.Auth{APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: "keys"}}},
		},
	}
}

// serving is an app whose three pods are as they should be.
func serving() status.Observed {
	a := app()
	v1alpha1.SetDefaults(&a.Spec)
	return status.Observed{
		Now: now, References: 1,
		InForce: &status.InForce{Spec: &a.Spec, Generation: 4, DocumentHash: strings.Repeat("0123456789", 6) + "0123", DocumentLabel: current},
		Deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Generation: 2},
			Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](3), Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelTemplate: "t2"}}}},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 2},
		},
		Pods: []corev1.Pod{pod("a", current, true), pod("b", current, true), pod("c", current, true)},
	}
}

func pod(name, document string, ready bool) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelDocument: document, v1alpha1.LabelTemplate: "t2"}}}
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return p
}

// redis gives the app in force a Redis.
func redis(o *status.Observed) {
	o.InForce.Spec.Redis = &v1alpha1.Redis{URLSecretRef: v1alpha1.SecretKeyReference{Name: "redis", Key: "url"}}
	v1alpha1.SetDefaults(o.InForce.Spec)
}

func terminating(p corev1.Pod) corev1.Pod {
	p.DeletionTimestamp = &now
	return p
}

func failing(p corev1.Pod, s corev1.ContainerStatus) corev1.Pod {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
	return p
}

func TestConditions(t *testing.T) {
	type want struct {
		condition string
		status    metav1.ConditionStatus
		reason    string
		message   string
	}
	cases := map[string]struct {
		observe func(*status.Observed)
		want    []want
	}{
		"serving": {func(*status.Observed) {}, []want{
			{v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, ""},
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, ""},
			{v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady, "3 of 3"},
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce, current},
			{v1alpha1.ConditionSecurityPosture, metav1.ConditionFalse, v1alpha1.ReasonRisksAccepted, "acknowledged: soon"},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"refused": {func(o *status.Observed) {
			o.InForce.Generation = 3
			o.Refused = &status.Problem{Reason: v1alpha1.ReasonInvalidSpec, Message: "spec.x: no", Remedy: status.RemedyUser}
		}, []want{
			{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, "spec.x: no (generation 3 stays in force)"},
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce, ""},
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec, "spec.x: no"},
			{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec, "spec.x: no"},
		}},
		"a workflow that cannot be read": {func(o *status.Observed) {
			o.Unseen = true
			o.Unresolved = &status.Problem{Reason: v1alpha1.ReasonConfigMapNotFound, Message: "create it", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "see ReferencesResolved"},
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound, "create it (what is deployed keeps serving)"},
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound, "create it"},
			{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput, "create it"},
		}},
		"nothing named": {func(o *status.Observed) { o.References = 0 }, []want{
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonNoReferences, ""},
		}},
		"nothing deployed": {func(o *status.Observed) {
			o.Deployment, o.InForce, o.Pods = nil, nil, nil
			o.Unresolved = &status.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: "create it", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound, "create it (nothing is deployed yet)"},
			{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonNotDeployed, ""},
			{v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonNotDeployed, ""},
			{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput, "create it"},
		}},
		"a drained node is no outage": {func(o *status.Observed) { o.Pods[2] = terminating(o.Pods[2]) }, []want{
			{v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady, "2 of 3"},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"two pods missing": {func(o *status.Observed) { o.Pods = o.Pods[:1] }, []want{
			{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, "1 of 3 pods are ready, at least 2 must be"},
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, ""},
			{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, ""},
		}},
		"one pod is always needed": {func(o *status.Observed) {
			o.InForce.Spec.Disruption.MaxUnavailable = ptr.To(intstr.FromString("100%"))
			o.Pods = nil
		}, []want{
			{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, "at least 1 must be"},
			{v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNoPodsReady, ""},
		}},
		"scaled to zero": {func(o *status.Observed) { o.Deployment.Spec.Replicas, o.Pods = new(int32), nil }, []want{
			{v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, ""},
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, ""},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"scaled to zero, a pod still serves": {func(o *status.Observed) {
			o.Deployment.Spec.Replicas, o.Pods = new(int32), []corev1.Pod{pod("a", old, true)}
		}, []want{{v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "1 of 1"}}},
		"an old document still serves": {func(o *status.Observed) { o.Pods[1] = pod("b", old, true) }, []want{
			{v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "1 of 3 ready pods"},
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRollingOut, ""},
		}},
		"an old document on its way out": {func(o *status.Observed) { o.Pods = append(o.Pods, terminating(pod("d", old, true))) }, []want{
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce, ""},
		}},
		"an old document that does not serve": {func(o *status.Observed) { o.Pods = append(o.Pods, pod("d", old, false)) }, []want{
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce, ""},
		}},
		"a surplus pod that still starts": {func(o *status.Observed) { o.Pods = append(o.Pods, pod("d", current, false)) }, []want{
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"an old template with the same document": {func(o *status.Observed) { o.Deployment.Spec.Template.Labels[v1alpha1.LabelTemplate] = "t3" }, []want{
			{v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce, ""},
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "3 of 3 ready pods"},
		}},
		"an image that cannot be pulled": {func(o *status.Observed) {
			o.Pods = []corev1.Pod{failing(pod("a", current, false), corev1.ContainerStatus{
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}}})}
		}, []want{{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodFailing, "pod a: ImagePullBackOff: not found"}}},
		"a container that is being created": {func(o *status.Observed) {
			o.Pods = []corev1.Pod{failing(pod("a", current, false), corev1.ContainerStatus{
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}})}
		}, []want{{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, ""}}},
		"a container that ran out of memory": {func(o *status.Observed) {
			o.Pods = []corev1.Pod{failing(pod("a", current, false), corev1.ContainerStatus{
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}})}
		}, []want{{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodFailing, "exit code 137 (OOMKilled)"}}},
		"a rollout without progress": {func(o *status.Observed) {
			o.Pods[0] = pod("a", old, true)
			o.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
		}, []want{
			{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDeadlineExceeded, "keep serving"},
		}},
		"an apply that fails": {func(o *status.Observed) {
			o.Failed = &status.Problem{Reason: v1alpha1.ReasonApplyFailed, Message: "quota", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "quota"},
			{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput, "quota"},
		}},
		"a check that nobody acknowledged": {func(o *status.Observed) { o.InForce.Spec.Logging.Level = v1alpha1.LogDebug }, []want{
			{v1alpha1.ConditionSecurityPosture, metav1.ConditionFalse, v1alpha1.ReasonChecksFailed, "set spec.logging.level to Info"},
		}},
		"every check passes": {func(o *status.Observed) {
			o.InForce.Spec.Replicas, o.Deployment.Spec.Replicas, o.Pods = new(int32), new(int32), nil
		}, []want{
			{v1alpha1.ConditionSecurityPosture, metav1.ConditionTrue, v1alpha1.ReasonChecksPassed, "all 8 checks"},
		}},
		"keys that end later": {func(o *status.Observed) {
			o.APIKeys = &status.APIKeys{Secret: "keys", Expires: map[string]time.Time{"web": now.Add(14*24*time.Hour + time.Second)}}
		}, []want{{v1alpha1.ConditionCredentialsCurrent, metav1.ConditionTrue, v1alpha1.ReasonNothingExpires, "14 days"}}},
		"keys that end soon": {func(o *status.Observed) {
			o.APIKeys = &status.APIKeys{Secret: "keys", Expires: map[string]time.Time{
				"later": now.Add(15 * 24 * time.Hour), "soon": now.Add(14 * 24 * time.Hour), "over": now.Time}}
		}, []want{
			{v1alpha1.ConditionCredentialsCurrent, metav1.ConditionFalse, v1alpha1.ReasonCredentialsExpiring,
				`Secret "keys": entry "over" expired at 2026-01-02T00:00:00Z, entry "soon" expires at 2026-01-16T00:00:00Z: make another key for the client with 'nexus keys new --client NAME --secret-name keys'`},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"many keys that end": {func(o *status.Observed) {
			o.APIKeys = &status.APIKeys{Secret: "keys", Expires: map[string]time.Time{}}
			for i := range 13 {
				o.APIKeys.Expires[strings.Repeat("k", i+1)] = now.Time
			}
		}, []want{{v1alpha1.ConditionCredentialsCurrent, metav1.ConditionFalse, v1alpha1.ReasonCredentialsExpiring, "and 3 more"}}},
		"Redis, and no pod is ready": {func(o *status.Observed) {
			redis(o)
			o.Pods = nil
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "no pod is ready"}}},
		"Redis, and nobody was asked": {redis, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "not been asked"}}},
		"Redis is there": {func(o *status.Observed) {
			redis(o)
			o.Redis = status.RedisAnswers{Up: true}
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected, ""}}},
		"Redis is not there for some": {func(o *status.Observed) {
			redis(o)
			o.Redis = status.RedisAnswers{Up: true, Down: 2, Silent: 1, Problems: []string{"auth"}}
		}, []want{
			{v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, `2 of 3 ready pods cannot use Redis: Redis refuses the user or password: correct the entry "url" of Secret "redis" (spec.redis.urlSecretRef); meanwhile each counts its limits by itself`},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"Redis is not there, Deny": {func(o *status.Observed) {
			redis(o)
			o.InForce.Spec.RateLimit.OnStoreError = v1alpha1.StoreErrorDeny
			o.Redis = status.RedisAnswers{Down: 3, Problems: []string{"timeout"}}
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, "503"}}},
		"Redis is not there, Allow": {func(o *status.Observed) {
			redis(o)
			o.InForce.Spec.RateLimit.OnStoreError = v1alpha1.StoreErrorAllow
			o.Redis = status.RedisAnswers{Down: 3, Problems: []string{"timeout"}}
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, "limit nobody"}}},
		"Redis settings that are not in use": {func(o *status.Observed) {
			redis(o)
			o.Redis = status.RedisAnswers{Up: true, Silent: 1, Stale: 2, StaleProblems: []string{"auth"}}
		}, []want{
			{v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonSettingsNotInUse, "2 of 3 ready pods keep the former settings, since the new ones cannot be used: Redis refuses the user or password: correct the entry"},
			{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		}},
		"Redis is there, and one was not asked": {func(o *status.Observed) {
			redis(o)
			o.Redis = status.RedisAnswers{Up: true, Unasked: 1}
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "not been asked"}}},
		"a lost Secret": {func(o *status.Observed) {
			o.InForce.Blocked = true
			o.Unresolved = &status.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: "gone", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound, "gone (what is deployed keeps serving, but a pod that is replaced meanwhile cannot start)"},
		}},
		"a Secret that only the next generation needs": {func(o *status.Observed) {
			o.InForce.Generation = 3
			o.Unresolved = &status.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: "gone", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound, "gone (generation 3 stays in force)"},
		}},
		"pods that do not answer": {func(o *status.Observed) {
			redis(o)
			o.Redis = status.RedisAnswers{Up: true, Silent: 1}
		}, []want{{v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "1 of 3 ready pods do not answer the operator on port 9090"}}},
		"what is in force is not known": {func(o *status.Observed) {
			o.InForce = nil
			o.Unresolved = &status.Problem{Reason: v1alpha1.ReasonClusterKeysUnavailable, Message: "no keys", Remedy: status.RemedyWait}
		}, []want{
			{v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonClusterKeysUnavailable, "no keys (what is deployed keeps serving)"},
			{v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, ""},
		}},
		"replicas that somebody else set count": {func(o *status.Observed) {
			o.InForce.Spec.Replicas, o.Deployment.Spec.Replicas = nil, ptr.To[int32](1)
			o.Pods = o.Pods[:1]
		}, []want{{v1alpha1.ConditionSecurityPosture, metav1.ConditionFalse, v1alpha1.ReasonChecksFailed, "Replicas: a restart of the only pod is an outage"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := serving()
			c.observe(&o)
			got := status.Summarize(app(), o)
			invariants(t, got)
			for _, w := range c.want {
				found := meta.FindStatusCondition(got.Conditions, w.condition)
				if found == nil {
					t.Errorf("there is no %s in %v", w.condition, got.Conditions)
				} else if found.Status != w.status || found.Reason != w.reason || !strings.Contains(found.Message, w.message) {
					t.Errorf("%s is %s/%s: %s; want %s/%s: %s", w.condition, found.Status, found.Reason, found.Message, w.status, w.reason, w.message)
				}
			}
		})
	}
}

// invariants is what holds for every status, whatever was observed.
func invariants(t *testing.T, s v1alpha1.NexusAppStatus) {
	t.Helper()
	needed := []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionReferencesResolved, v1alpha1.ConditionAvailable, v1alpha1.ConditionEnforced}
	ready := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady)
	for _, kind := range needed {
		if ready && !meta.IsStatusConditionTrue(s.Conditions, kind) {
			t.Errorf("Ready is True although %s is not", kind)
		}
	}
	reconciling := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling)
	stalled := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled)
	if count := len(slices.DeleteFunc([]bool{ready, reconciling, stalled}, func(b bool) bool { return !b })); count != 1 {
		t.Errorf("ready %v, reconciling %v, stalled %v: want exactly one", ready, reconciling, stalled)
	}
	for _, c := range s.Conditions {
		if c.ObservedGeneration != 4 || c.Reason == "" || c.Message == "" || c.LastTransitionTime.IsZero() {
			t.Errorf("the condition %+v is incomplete", c)
		}
	}
}

// The time of a transition changes with the status of a condition, and with nothing else.
func TestTransitionTimes(t *testing.T) {
	a, o := app(), serving()
	o.Now = earlier
	a.Status = status.Summarize(a, o)
	o.Now = now
	o.Pods = o.Pods[:2] // another message, the same status
	again := status.Summarize(a, o)
	if c := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionAvailable); !c.LastTransitionTime.Equal(&earlier) {
		t.Errorf("a new message moved the transition to %v", c.LastTransitionTime)
	}
	o.Pods = o.Pods[:1]
	again = status.Summarize(a, o)
	if c := meta.FindStatusCondition(again.Conditions, v1alpha1.ConditionAvailable); !c.LastTransitionTime.Equal(&now) {
		t.Errorf("a transition left its time at %v", c.LastTransitionTime)
	}
}

func TestNextChange(t *testing.T) {
	const warn = 14 * 24 * time.Hour
	at := now.Add
	for name, c := range map[string]struct {
		expires map[string]time.Time
		want    time.Time
	}{
		"nothing ends":        {nil, time.Time{}},
		"everything is over":  {map[string]time.Time{"a": at(-time.Hour), "b": now.Time}, time.Time{}},
		"a warning":           {map[string]time.Time{"a": at(warn + time.Hour)}, at(time.Hour)},
		"an end":              {map[string]time.Time{"a": at(time.Hour)}, at(time.Hour)},
		"the warning is due":  {map[string]time.Time{"a": at(warn)}, at(warn)},
		"the first of many":   {map[string]time.Time{"a": at(warn + 3*time.Hour), "b": at(2 * time.Hour), "c": at(-time.Hour)}, at(2 * time.Hour)},
		"a warning before it": {map[string]time.Time{"a": at(warn + time.Hour), "b": at(2 * time.Hour)}, at(time.Hour)},
	} {
		if got := (&status.APIKeys{Expires: c.expires}).NextChange(now.Time); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	var none *status.APIKeys
	if got := none.NextChange(now.Time); !got.IsZero() {
		t.Errorf("without API keys, something changes at %v", got)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	o := serving()
	o.Refused = &status.Problem{Reason: v1alpha1.ReasonInvalidSpec, Message: strings.Repeat("ä\x1b", 5000), Remedy: status.RemedyUser}
	got := status.Summarize(app(), o)
	c := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionAccepted)
	if len(c.Message) > status.MaxMessage || strings.ContainsRune(c.Message, '\x1b') || !strings.HasSuffix(c.Message, "…") || strings.ContainsRune(c.Message, '\uFFFD') {
		t.Errorf("the message has %d bytes and ends in %q", len(c.Message), c.Message[max(0, len(c.Message)-10):])
	}
}

func TestFacts(t *testing.T) {
	o := serving()
	o.Pods = append(o.Pods, pod("d", current, false), terminating(pod("e", current, true)))
	got := status.Summarize(app(), o)
	if *got.Replicas != 4 || *got.ReadyReplicas != 3 || got.Selector != "nexus.dev/app=shop" ||
		got.Endpoints.API != "http://shop.team-a.svc:8000" || got.PolicyHash != o.InForce.DocumentHash ||
		got.Security.Score != "7/8" || !slices.Equal(got.Security.Failed, []string{"SharedLimits"}) || got.Security.Auth != v1alpha1.AuthRequired {
		t.Errorf("the status is %+v", got)
	}
}
