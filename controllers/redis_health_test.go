package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// pods answers for pods, by the last number of their address.
type podsByAddress struct {
	mu      sync.Mutex
	answers map[byte]podAnswer
	asked   []byte
}

func (p *podsByAddress) ask(_ context.Context, address netip.AddrPort) (podAnswer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod := address.Addr().As4()[3]
	p.asked = append(p.asked, pod)
	if answer, ok := p.answers[pod]; ok && address.Port() == 9090 {
		return answer, nil
	}
	return podAnswer{}, errors.New("no answer")
}

func (p *podsByAddress) say(pod byte, answer podAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[pod] = answer
}

func (p *podsByAddress) forget(pod byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.answers, pod)
}

// take returns the pods that were asked since the last call.
func (p *podsByAddress) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.asked
	p.asked = nil
	return out
}

// startPodsAt replaces the pods of an app with ready ones at 10.0.0.1 and so on.
func (o *operator) startPodsAt(t *testing.T, app *v1alpha1.NexusApp, n int) {
	t.Helper()
	o.deletePods(t, app)
	d := deploymentOf(t, app)
	for i := range n {
		o.startPod(t, d, fmt.Sprintf("at-%d", i+1), at(i+1))
	}
}

// at makes a pod's status that of one that serves at 10.0.0.n.
func at(n int) func(*corev1.PodStatus) {
	return func(s *corev1.PodStatus) {
		ready(s)
		s.PodIP = fmt.Sprintf("10.0.0.%d", n)
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
}

// The status follows what the pods say, holds nothing back, and is written only when it
// says something else.
func TestRedisReady(t *testing.T) {
	pods := &podsByAddress{answers: map[byte]podAnswer{1: {Up: true}, 2: {Up: true}, 3: {Up: true}}}
	o := startOperator(t, byHand, func(options *Options) { options.askPod = pods.ask })
	app := withRedis(production(namespace(t)))
	create(t, redisSecret(app.Namespace))
	got := o.deployed(t, app)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "not been asked yet")
	o.startPodsAt(t, app, 3)
	// polled asks the pods, and returns whether the app would be reconciled.
	polled := func(what string, want bool) {
		t.Helper()
		changed, err := o.redis.poll(t.Context(), everyPod)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(changed, client.ObjectKeyFromObject(app)); got != want {
			t.Errorf("%s: the app would be reconciled: %v, want %v", what, got, want)
		}
		if writes := o.reconcile(t, app); len(writes) > 0 != want {
			t.Errorf("%s: a reconcile wrote %v", what, writes)
		}
		got = readBack(t, app)
		expect(t, got, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
	polled("all can", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected)
	polled("at rest", false)

	pods.say(2, podAnswer{Problem: "refused"})
	polled("one cannot", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected,
		"1 of 3 ready pods cannot use Redis: nobody listens at the address", `the entry "url" of Secret "shop-redis"`, "counts its limits by itself", "onStoreError is Local")
	polled("still one", false)
	pods.say(1, podAnswer{Problem: "timeout"})
	polled("another one", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, "2 of 3 ready pods cannot use Redis: nobody listens", "; no answer in time")

	pods.say(1, podAnswer{Up: true})
	pods.say(2, podAnswer{Up: true, Stale: "auth"})
	polled("one keeps the former settings", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonSettingsNotInUse,
		"1 of 3 ready pods keep the former settings, since the new ones cannot be used: Redis refuses the user or password")

	// A new operator, which has asked nobody yet, lets stand what the last one told.
	o.stop()
	o = startOperator(t, byHand, func(options *Options) { options.askPod = pods.ask })
	if writes := o.reconcile(t, app); len(writes) > 0 {
		t.Errorf("after a restart, an app at rest was written: %v", writes)
	}
	for pod := range byte(3) {
		pods.say(pod+1, podAnswer{Up: true})
	}
	polled("all can again", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected)

	// One that does not answer is given the benefit of the doubt, and not for ever.
	pods.forget(3)
	polled("one missed", false)
	polled("two missed", false)
	polled("silent", true)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "1 of 3 ready pods do not answer the operator on port 9090")

	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Redis = nil })
	o.settle(t, app)
	if c := meta.FindStatusCondition(readBack(t, app).Status.Conditions, v1alpha1.ConditionRedisReady); c != nil {
		t.Errorf("an app without Redis has the condition %+v", c)
	}
}

// The same without a hand: the poller runs beside the controller, and has it look.
func TestRedisReadyByItself(t *testing.T) {
	pods := &podsByAddress{answers: map[byte]podAnswer{1: {Up: true}, 2: {Problem: "auth"}}}
	app := withRedis(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret), redisSecret(app.Namespace), app)
	// Too seldom for this test: new pods are asked as soon as they are seen.
	seldom := func(options *Options) { options.askPod, options.askEvery = pods.ask, time.Hour }
	first := startOperator(t, byWatches, seldom)
	awaitCondition(t, app, v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved)
	first.startPodsAt(t, app, 2)
	got := awaitCondition(t, app, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, "1 of 2 ready pods cannot use Redis: Redis refuses the user or password")
	first.stop()
	// The next one asks as soon as it starts.
	pods.say(2, podAnswer{Up: true})
	startOperator(t, byWatches, seldom)
	awaitCondition(t, app, v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected)
}

// A reconcile that sees a new pod wakes the poller, which asks the new ones; at rest
// nothing does.
func TestNewPodsWakeThePoller(t *testing.T) {
	// The apps of other tests have their pods at other addresses.
	pods := &podsByAddress{answers: map[byte]podAnswer{201: {Up: true}, 202: {Up: true}, 204: {Up: true}}}
	o := startOperator(t, byHand, func(options *Options) { options.askPod = pods.ask })
	app, other := withRedis(production(namespace(t))), withRedis(production(namespace(t)))
	for _, a := range []*v1alpha1.NexusApp{app, other} {
		create(t, redisSecret(a.Namespace))
		o.deployed(t, a)
	}
	without := o.deployed(t, development(namespace(t)))
	woken := func(what string, app client.Object, want bool) {
		t.Helper()
		o.reconcile(t, app)
		select {
		case <-o.redis.unasked:
			if !want {
				t.Errorf("%s: the poller is woken", what)
			}
		default:
			if want {
				t.Errorf("%s: the poller sleeps on", what)
			}
		}
	}
	asked := func(which round, want int, of ...*v1alpha1.NexusApp) {
		t.Helper()
		pods.take()
		changed, err := o.redis.poll(t.Context(), which)
		got := slices.DeleteFunc(pods.take(), func(pod byte) bool { return pod <= 200 })
		if err != nil || len(got) != want {
			t.Errorf("the pods %v were asked (%v), want %d of them", got, err, want)
		}
		for _, a := range []*v1alpha1.NexusApp{app, other} {
			if got, want := slices.Contains(changed, client.ObjectKeyFromObject(a)), slices.Contains(of, a); got != want {
				t.Errorf("%s would be reconciled: %v, want %v", a.Namespace, got, want)
			}
		}
	}
	woken("pods without an address", app, false)
	for pod, app := range map[int]*v1alpha1.NexusApp{201: app, 202: app, 204: other, 205: without} {
		o.startPod(t, deploymentOf(t, app), fmt.Sprintf("at-%d", pod), at(pod))
	}
	woken("without Redis", without, false)
	woken("new pods", app, true)
	asked(newPods, 3, app, other)
	woken("asked", app, false)
	expect(t, readBack(t, app), v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected)

	o.startPod(t, deploymentOf(t, app), "at-203", at(203))
	woken("one more", app, true)
	expect(t, readBack(t, app), v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected)
	asked(newPods, 1, app)
	woken("it does not answer, and was asked", app, false)
	pods.say(203, podAnswer{Problem: "timeout"})
	asked(newPods, 0)
	asked(everyPod, 4, app)
	woken("at rest", app, false)
	expect(t, readBack(t, app), v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected, "1 of 6")
}

// Only pods that serve are asked, and only where a pod can be.
func TestAdminAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"10.1.2.3": "10.1.2.3:9090", "fd00::1": "[fd00::1]:9090", "::ffff:10.1.2.3": "10.1.2.3:9090",
		"": "", "127.0.0.1": "", "::1": "", "::ffff:127.0.0.1": "", "169.254.169.254": "", "fe80::1": "", "0.0.0.0": "", "224.0.0.1": "", "example.com": "",
	} {
		pod := &corev1.Pod{Status: corev1.PodStatus{PodIP: ip}}
		if _, ok := adminAddress(pod); ok {
			t.Errorf("%q: a pod that is not ready is asked", ip)
		}
		ready(&pod.Status)
		address, ok := adminAddress(pod)
		if got := map[bool]string{true: address.String()}[ok]; got != want {
			t.Errorf("%q: %s, want %s", ip, got, want)
		}
	}
}

// What a pod says is believed in part, and only from the pod itself.
func TestAskPodOverHTTP(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	for name, c := range map[string]struct {
		pod  http.HandlerFunc
		want podAnswer
		fail bool
	}{
		"up":               {pod: answer(`{"state":"ready","redis":{"up":true,"since":"2026-01-01T00:00:00Z","problem":""}}`), want: podAnswer{Up: true}},
		"down":             {pod: answer(`{"redis":{"up":false,"problem":"refused"}}`), want: podAnswer{Problem: "refused"}},
		"up with a word":   {pod: answer(`{"redis":{"up":true,"problem":"timeout"}}`), want: podAnswer{Up: true}},
		"stale":            {pod: answer(`{"redis":{"up":true,"problem":"","stale":"auth"}}`), want: podAnswer{Up: true, Stale: "auth"}},
		"down and stale":   {pod: answer(`{"redis":{"up":false,"problem":"timeout","stale":"files"}}`), want: podAnswer{Problem: "timeout", Stale: "files"}},
		"stale, no word":   {pod: answer(`{"redis":{"up":true,"stale":"see http://evil.example.com"}}`), want: podAnswer{Up: true, Stale: "unknown"}},
		"not stale":        {pod: answer(`{"redis":{"up":true,"stale":""}}`), want: podAnswer{Up: true}},
		"not a word":       {pod: answer(`{"redis":{"up":false,"problem":"Visit http://evil.example.com"}}`), want: podAnswer{Problem: "unknown"}},
		"a long word":      {pod: answer(`{"redis":{"up":false,"problem":"` + strings.Repeat("a", 33) + `"}}`), want: podAnswer{Problem: "unknown"}},
		"a word and lines": {pod: answer(`{"redis":{"up":false,"problem":"timeout\n"}}`), want: podAnswer{Problem: "unknown"}},
		"no Redis":         {pod: answer(`{"state":"ready"}`), fail: true},
		"no verdict":       {pod: answer(`{"redis":{}}`), fail: true},
		"no JSON":          {pod: answer(`up`), fail: true},
		"another type":     {pod: answer(`{"redis":{"up":"yes"}}`), fail: true},
		"too much":         {pod: answer(`{"redis":{"up":true},"x":"` + strings.Repeat("x", maxPodReply) + `"}`), fail: true},
		"too many headers": {pod: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxPodReply))
		}, fail: true},
		"a redirect": {pod: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, fail: true},
		"not found":  {pod: http.NotFound, fail: true},
		"hangs up":   {pod: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fail: true},
		"another path": {pod: func(w http.ResponseWriter, r *http.Request) {
			answer(`{"redis":{"up":`+fmt.Sprint(r.URL.Path == "/status")+`}}`)(w, r)
		}, want: podAnswer{Up: true}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.pod)
			defer server.Close()
			address := netip.MustParseAddrPort(server.Listener.Addr().String())
			got, err := askOverHTTP()(t.Context(), address)
			if (err != nil) != c.fail || got != c.want {
				t.Errorf("the pod said %+v (%v), want %+v", got, err, c.want)
			}
		})
	}
}
