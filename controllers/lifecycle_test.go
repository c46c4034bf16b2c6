package controllers

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func TestNewAppBecomesReady(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, "0 of 3 pods are ready, at least 2 must be")
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNoPodsReady)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	expect(t, got, v1alpha1.ConditionSecurityPosture, metav1.ConditionFalse, v1alpha1.ReasonRisksAccepted, "SharedLimits", "limits are not shared yet")

	o.rollOut(t, app)
	o.settle(t, app)
	got = readBack(t, app)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if s := got.Status; *s.Replicas != 3 || *s.ReadyReplicas != 3 || s.Selector != "nexus.dev/app=shop" ||
		s.Endpoints.API != "http://shop."+app.Namespace+".svc:8000" || s.Endpoints.MCP != "http://shop."+app.Namespace+".svc:3001/mcp" || len(s.PolicyHash) != 64 ||
		s.Security.Auth != v1alpha1.AuthRequired || s.Security.Score == "" || len(s.Workflows) != 1 || s.Workflows[0].Version != "1.0.0" || s.Workflows[0].Tool != "quote-order" {
		t.Errorf("the status is %+v", s)
	}
	if label := deploymentOf(t, app).Spec.Template.Labels[v1alpha1.LabelDocument]; !strings.HasPrefix(got.Status.PolicyHash, label) {
		t.Errorf("pods are labelled %s, the policy hash is %s", label, got.Status.PolicyHash)
	}
}

// An app of n objects costs at most n + 3 writes until it is ready, and one ownership
// read for each object.
func TestCostOfANewApp(t *testing.T) {
	for name, app := range map[string]*v1alpha1.NexusApp{"with replicas": production(namespace(t)), "without replicas": production(namespace(t))} {
		t.Run(name, func(t *testing.T) {
			o := startOperator(t, byHand)
			if name == "without replicas" {
				app.Spec.Replicas = nil
			}
			create(t, apiKeys(app.Namespace, keysSecret))
			// The key of the digests is made once for all apps.
			if _, err := o.Resolver.Key.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
			o.create(t, app)
			writes := o.reconcile(t, app)
			reads := o.requests.matching(func(s string) bool {
				return strings.HasPrefix(s, "GET ") && strings.Contains(s, "/namespaces/"+app.Namespace+"/") && !strings.Contains(s, "/secrets/")
			})
			o.rollOut(t, app)
			writes = append(writes, o.reconcile(t, app)...)
			expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			const objects = 7
			if len(writes) > objects+3 {
				t.Errorf("%d writes for %d objects: %v", len(writes), objects, writes)
			}
			if len(reads) != objects {
				t.Errorf("%d ownership reads for %d objects: %v", len(reads), objects, reads)
			}
		})
	}
}

// The fix point: whatever the spec asks for, reconciling again writes nothing, reads no
// Secret, and asks the API server for nothing at all.
func TestSecondReconcileWritesNothing(t *testing.T) {
	for name, app := range map[string]*v1alpha1.NexusApp{
		"development": development(namespace(t)),
		"production":  production(namespace(t)),
		"everything":  everything(t, namespace(t)),
	} {
		t.Run(name, func(t *testing.T) {
			o := startOperator(t, byHand)
			app := o.deployed(t, app)
			for range 2 {
				o.reconcile(t, app)
				if asked := o.requests.matching(inNamespace(app.Namespace)); len(asked) > 0 {
					t.Errorf("a reconcile at rest asked for %v", asked)
				}
			}
			o.stop()
			again := startOperator(t, byHand)
			again.reconcile(t, app)
			if asked := again.requests.matching(inNamespace(app.Namespace)); len(asked) > 0 {
				t.Errorf("the first reconcile after a restart asked for %v", asked)
			}
		})
	}
}

func inNamespace(namespace string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, "/namespaces/"+namespace+"/") }
}

// The same with the controller and its watches: what comes to rest stays at rest.
func TestControllerComesToRest(t *testing.T) {
	o := startOperator(t, byWatches)
	app := production(namespace(t))
	create(t, apiKeys(app.Namespace, keysSecret), app)
	awaitCondition(t, app, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
	o.rollOut(t, app)
	awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	for range 3 {
		if writes := o.reconcile(t, app); len(writes) > 0 {
			t.Errorf("an app at rest was written: %v", writes)
		}
	}
}

// awaitCondition watches an app until a condition of its current generation is as wanted.
func awaitCondition(t *testing.T, app *v1alpha1.NexusApp, kind string, want metav1.ConditionStatus, reason string) *v1alpha1.NexusApp {
	t.Helper()
	got := await(t, app, &v1alpha1.NexusAppList{}, kind+" is "+string(want)+"/"+reason, func(a *v1alpha1.NexusApp) bool {
		for _, c := range a.Status.Conditions {
			if c.Type == kind {
				return c.Status == want && c.Reason == reason && c.ObservedGeneration == a.Generation
			}
		}
		return false
	})
	checkInvariants(t, got)
	return got
}

// The garbage collector removes what an app owns; nothing holds the app back.
func TestDeletionNeedsNoOperator(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	for _, list := range ownedLists() {
		if err := k8s.List(t.Context(), list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
			t.Fatal(err)
		}
		items := itemsOf(t, list)
		if len(items) != 1 {
			t.Errorf("%d objects in %T, want 1", len(items), list)
		}
		for _, o := range items {
			if !metav1.IsControlledBy(o, app) || len(o.GetFinalizers()) > 0 {
				t.Errorf("%T %s: owners %v, finalizers %v", o, o.GetName(), o.GetOwnerReferences(), o.GetFinalizers())
			}
		}
	}
	if err := k8s.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(app), app); !apierrors.IsNotFound(err) {
		t.Errorf("the deleted app is still there: %v", err)
	}
}
