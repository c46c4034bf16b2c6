package controllers

import (
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/controllers/status"
)

const (
	// askEvery is how often the pods of apps with Redis are asked, and askAtOnce how many
	// at a time, over all apps.
	askEvery  = 15 * time.Second
	askAtOnce = 8
	// maxMissed is how many times in a row a pod may fail to answer before that is told.
	maxMissed = 3
)

// redisHealth knows what the pods say of Redis. Pods hold no API token and cannot write a
// status, so they are asked, beside the reconciles, which only look at what is known.
type redisHealth struct {
	cache client.Reader
	ask   askPod
	every time.Duration
	// unasked wakes the poller: a ready pod was seen that was never asked.
	unasked chan struct{}

	mu sync.Mutex
	// pods are the ready pods of apps with Redis.
	pods map[types.UID]lastAnswer

	// told is what reconciles were last started with. It is poll's alone.
	told map[types.NamespacedName]status.RedisAnswers
}

// lastAnswer is what a pod said when it last answered.
type lastAnswer struct {
	podAnswer
	answered bool
	// missed is how many times it has failed to answer since.
	missed int
}

// of sums up what these pods have said.
func (h *redisHealth) of(pods []corev1.Pod) status.RedisAnswers {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out status.RedisAnswers
	for i := range pods {
		last, asked := h.pods[pods[i].UID]
		_, askable := adminAddress(&pods[i])
		switch {
		case !askable:
		case !asked:
			out.Unasked++
		case last.missed >= maxMissed:
			out.Silent++
		case last.answered && last.Up:
			out.Up = true
			if last.Stale != "" {
				out.Stale++
				out.StaleProblems = append(out.StaleProblems, last.Stale)
			}
		case last.answered:
			out.Down++
			out.Problems = append(out.Problems, last.Problem)
		}
	}
	out.Problems, out.StaleProblems = distinct(out.Problems), distinct(out.StaleProblems)
	return out
}

func distinct(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// wake has the poller ask pods that were never asked. It does not wait: the poller may
// be asking, and looks again afterwards.
func (h *redisHealth) wake() {
	select {
	case h.unasked <- struct{}{}:
	default:
	}
}

// round says which of the ready pods are asked.
type round string

const (
	everyPod round = "EveryPod"
	newPods  round = "NewPods"
)

// poll asks the ready pods of apps with Redis, and returns the apps of which there is
// something new to tell.
func (h *redisHealth) poll(ctx context.Context, which round) ([]types.NamespacedName, error) {
	apps, err := h.appsWithRedis(ctx)
	if err != nil {
		return nil, err
	}
	// A reconcile that has seen an unasked pod has told less than it could.
	waiting := map[types.NamespacedName]bool{}
	for app, pods := range apps {
		if waiting[app] = h.of(pods).Unasked > 0; !waiting[app] && which == newPods {
			delete(apps, app)
		}
	}
	replies := h.askAll(ctx, apps, which)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.remember(replies, which)
	told := h.told
	if which == everyPod || told == nil {
		told = make(map[types.NamespacedName]status.RedisAnswers, len(apps))
	}
	var changed []types.NamespacedName
	for app, pods := range apps {
		now := h.of(pods)
		if waiting[app] || !reflect.DeepEqual(now, h.told[app]) {
			changed = append(changed, app)
		}
		told[app] = now
	}
	h.told = told
	return changed, nil
}

// appsWithRedis returns the pods of each app that has Redis, or whose status tells of it:
// while a generation is refused, the one in force may have it.
func (h *redisHealth) appsWithRedis(ctx context.Context) (map[types.NamespacedName][]corev1.Pod, error) {
	var apps v1alpha1.NexusAppList
	if err := h.cache.List(ctx, &apps, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	out := map[types.NamespacedName][]corev1.Pod{}
	for i := range apps.Items {
		app := &apps.Items[i]
		if app.Spec.Redis == nil && meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionRedisReady) == nil {
			continue
		}
		var pods corev1.PodList
		if err := h.cache.List(ctx, &pods, client.UnsafeDisableDeepCopy, client.InNamespace(app.Namespace), client.MatchingFields{apply.IndexApp: app.Name}); err != nil {
			return nil, err
		}
		out[client.ObjectKeyFromObject(app)] = pods.Items
	}
	return out, nil
}

// podReply is what asking a pod came to.
type podReply struct {
	pod    types.UID
	answer podAnswer
	err    error
}

// askAll asks the ready pods, or those of them that were never asked, a few at a time.
func (h *redisHealth) askAll(ctx context.Context, apps map[types.NamespacedName][]corev1.Pod, which round) []podReply {
	type question struct {
		pod     types.UID
		address netip.AddrPort
	}
	questions := make(chan question)
	var mu sync.Mutex
	var replies []podReply
	var wg sync.WaitGroup
	for range askAtOnce {
		wg.Go(func() {
			for q := range questions {
				answer, err := h.ask(ctx, q.address)
				mu.Lock()
				replies = append(replies, podReply{q.pod, answer, err})
				mu.Unlock()
			}
		})
	}
	for _, pods := range apps {
		for i := range pods {
			if address, ok := adminAddress(&pods[i]); ok && ctx.Err() == nil && (which == everyPod || !h.asked(pods[i].UID)) {
				questions <- question{pods[i].UID, address}
			}
		}
	}
	close(questions)
	wg.Wait()
	return replies
}

func (h *redisHealth) asked(pod types.UID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, asked := h.pods[pod]
	return asked
}

// adminAddress is where a pod that serves is asked. Whoever may write the status of a pod
// chooses its address: the operator's own machine is not asked.
func adminAddress(pod *corev1.Pod) (netip.AddrPort, bool) {
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if address = address.Unmap(); err != nil || !address.IsGlobalUnicast() || !status.Serves(pod) {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(address, desired.PortAdmin), true
}

// remember adds the replies to what is known. When every pod was asked, they are all that
// is known: the others are forgotten.
func (h *redisHealth) remember(replies []podReply, which round) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pods := make(map[types.UID]lastAnswer, len(replies))
	if which == newPods {
		maps.Copy(pods, h.pods)
	}
	for _, reply := range replies {
		last := h.pods[reply.pod]
		if reply.err != nil {
			last.missed++
		} else {
			last = lastAnswer{podAnswer: reply.answer, answered: true}
		}
		pods[reply.pod] = last
	}
	h.pods = pods
}

// followRedis has the status of apps tell what their pods say of Redis: every pod now and
// then, new ones as soon as a reconcile has seen them. It runs in the leader only.
func (r *Reconciler) followRedis(ctx context.Context) error {
	ticker := time.NewTicker(r.redis.every)
	defer ticker.Stop()
	which := everyPod
	for {
		changed, err := r.redis.poll(ctx, which)
		if err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "Asking pods about Redis")
		}
		r.enqueue(ctx, changed)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			which = everyPod
		case <-r.redis.unasked:
			which = newPods
		}
	}
}
