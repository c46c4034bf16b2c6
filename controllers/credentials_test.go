package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const day = 24 * time.Hour

// expiring is a key entry that ends some time from now.
func expiring(after time.Duration) []byte {
	entry := string(keyEntry("expiring"))
	return fmt.Appendf(nil, `%s,"expires":%q}`, strings.TrimSuffix(entry, "}"), time.Now().Add(after).UTC().Format(time.RFC3339))
}

// A key that ends soon is told of, by a condition that holds nothing back and by one
// event; the app is looked at again when that is to change.
func TestCredentialsCurrent(t *testing.T) {
	o := startOperator(t, byHand)
	events := &recorded{}
	o.Events = events
	app := o.deployed(t, production(namespace(t)))
	expect(t, app, v1alpha1.ConditionCredentialsCurrent, metav1.ConditionTrue, v1alpha1.ReasonNothingExpires)
	keys := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	events.take()
	// set writes the Secret and returns when the app is looked at again.
	set := func(data map[string][]byte) time.Duration {
		t.Helper()
		keys.Data = data
		o.update(t, keys)
		o.settle(t, app)
		o.rollOut(t, app)
		o.settle(t, app)
		result, err := o.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(app)})
		if err != nil {
			t.Fatal(err)
		}
		got := readBack(t, app)
		expect(t, got, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		return result.RequeueAfter
	}
	within := func(got, want time.Duration) {
		t.Helper()
		if got > want || got < want-time.Hour {
			t.Errorf("the app is looked at again after %v, want a bit less than %v", got, want)
		}
	}
	warned := func(want int, what string) {
		t.Helper()
		if got := len(slices.DeleteFunc(events.take(), func(r string) bool { return r != EventCredentialsExpiring })); got != want {
			t.Errorf("%s: %d events, want %d", what, got, want)
		}
	}

	within(set(map[string][]byte{"web": keyEntry("first"), "app": expiring(30 * day)}), 16*day)
	expect(t, readBack(t, app), v1alpha1.ConditionCredentialsCurrent, metav1.ConditionTrue, v1alpha1.ReasonNothingExpires)
	warned(0, "in a month")

	within(set(map[string][]byte{"web": keyEntry("first"), "app": expiring(13 * day)}), 13*day)
	expect(t, readBack(t, app), v1alpha1.ConditionCredentialsCurrent, metav1.ConditionFalse, v1alpha1.ReasonCredentialsExpiring,
		`Secret "shop-api-keys"`, `entry "app" expires at `, "nexus keys new")
	warned(1, "in 13 days")
	if writes := o.reconcile(t, app); len(writes) > 0 {
		t.Errorf("looking again wrote %v", writes)
	}
	warned(0, "looking again")

	if after := set(map[string][]byte{"web": keyEntry("first"), "app": expiring(-day)}); after != 0 {
		t.Errorf("nothing is to change, and the app is looked at again after %v", after)
	}
	expect(t, readBack(t, app), v1alpha1.ConditionCredentialsCurrent, metav1.ConditionFalse, v1alpha1.ReasonCredentialsExpiring, `entry "app" expired at `)

	set(map[string][]byte{"web": keyEntry("first")})
	expect(t, readBack(t, app), v1alpha1.ConditionCredentialsCurrent, metav1.ConditionTrue, v1alpha1.ReasonNothingExpires)

	// It survives a restart, without the Secret being read.
	set(map[string][]byte{"web": keyEntry("first"), "app": expiring(13 * day)})
	o.stop()
	again := startOperator(t, byHand)
	again.reconcile(t, app)
	if asked := again.requests.matching(inNamespace(app.Namespace)); len(asked) > 0 {
		t.Errorf("the first reconcile after a restart asked for %v", asked)
	}
}

func TestConditionsOfWhatIsNotThere(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, development(namespace(t)))
	for _, kind := range []string{v1alpha1.ConditionCredentialsCurrent, v1alpha1.ConditionRedisReady} {
		if c := meta.FindStatusCondition(app.Status.Conditions, kind); c != nil {
			t.Errorf("an app without it has the condition %+v", c)
		}
	}
}
