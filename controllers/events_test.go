package controllers

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// recorded keeps the events that the operator tells.
type recorded struct{ reasons []string }

func (r *recorded) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	r.reasons = append(r.reasons, reason)
}

func (r *recorded) AnnotatedEventf(_, _ runtime.Object, _ map[string]string, _, reason, _, _ string, _ ...any) {
	r.reasons = append(r.reasons, reason)
}

// take returns the reasons since the last call.
func (r *recorded) take() []string {
	out := r.reasons
	r.reasons = nil
	return out
}

func TestEventsTellTransitionsOnly(t *testing.T) {
	o := startOperator(t, byHand)
	events := &recorded{}
	o.Events = events
	told := func(what string, want ...string) {
		t.Helper()
		if got := events.take(); !slices.Equal(got, want) {
			t.Errorf("%s: events %v, want %v", what, got, want)
		}
	}
	app := production(namespace(t))
	o.create(t, app)
	o.settle(t, app)
	told("a missing Secret, and a risk", EventReferenceUnusable, EventRiskAcknowledged)
	o.reconcile(t, app)
	told("still missing")

	create(t, apiKeys(app.Namespace, keysSecret))
	o.seesVersion(t, apiKeys(app.Namespace, keysSecret))
	o.settle(t, app)
	told("the Secret appears")
	o.rollOut(t, app)
	o.settle(t, app)
	told("the pods are ready", EventReady)
	o.reconcile(t, app)
	told("at rest")

	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	o.settle(t, app)
	told("a rollout begins", EventNotReady)
	o.rollOut(t, app)
	o.settle(t, app)
	told("a rollout ends", EventReady)

	o.scaleByHand(t, app, 7)
	o.settle(t, app)
	told("drift", EventDriftCorrected)
	o.rollOut(t, app)
	o.settle(t, app)
	events.take()

	o.change(t, app, broken)
	o.settle(t, app)
	told("a refusal", EventRefused, EventNotReady)
	o.reconcile(t, app)
	told("still refused")
}

// Of Redis the coming and going is told, and not how many pods meet it.
func TestEventsOfRedis(t *testing.T) {
	pods := &podsByAddress{answers: map[byte]podAnswer{1: {Up: true}, 2: {Up: true}}}
	o := startOperator(t, byHand, func(options *Options) { options.askPod = pods.ask })
	app := withRedis(production(namespace(t)))
	create(t, redisSecret(app.Namespace))
	o.deployed(t, app)
	o.startPodsAt(t, app, 2)
	o.settle(t, app)
	events := &recorded{}
	o.Events = events
	told := func(one, two podAnswer, want ...string) {
		t.Helper()
		pods.say(1, one)
		pods.say(2, two)
		if _, err := o.redis.poll(t.Context(), everyPod); err != nil {
			t.Fatal(err)
		}
		o.settle(t, app)
		if got := events.take(); !slices.Equal(got, want) {
			t.Errorf("%+v, %+v: events %v, want %v", one, two, got, want)
		}
	}
	up, down, stale := podAnswer{Up: true}, podAnswer{Problem: "timeout"}, podAnswer{Up: true, Stale: "auth"}
	told(up, up, EventRedisReady)
	told(up, up)
	told(up, down, EventRedisNotReady)
	told(down, down)
	told(up, stale, EventRedisNotReady)
	told(up, up, EventRedisReady)
}

// Events reach the API server with the permissions that the operator has.
func TestEventsAreWritten(t *testing.T) {
	o := startOperator(t, byWatches)
	app := production(namespace(t))
	create(t, app)
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	w, err := k8s.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(app.Namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	told := false
	for e := range w.ResultChan() {
		got, ok := e.Object.(*eventsv1.Event)
		if !ok || got.Reason != EventReferenceUnusable {
			continue
		}
		told = true
		if got.Type != corev1.EventTypeWarning || got.Regarding.Name != app.Name || got.ReportingController == "" || got.Note == "" {
			t.Errorf("the event is %+v", got)
		}
		break
	}
	if !told {
		t.Error("no event was written")
	}
	o.stop()
}
