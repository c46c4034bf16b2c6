package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// What happens beside the reconciles finds out what no watch tells of, and has the apps
// that it matters to reconciled. It writes nothing itself.

// every does something at once and then again and again, until the context ends.
func every(ctx context.Context, interval time.Duration, do func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// enqueue has apps reconciled.
func (r *Reconciler) enqueue(ctx context.Context, apps []types.NamespacedName) {
	for _, app := range apps {
		select {
		case r.wake <- event.TypedGenericEvent[types.NamespacedName]{Object: app}:
		case <-ctx.Done():
			return
		}
	}
}

// woken is the handler of what enqueue sends.
func woken() handler.TypedEventHandler[types.NamespacedName, reconcile.Request] {
	return handler.TypedFuncs[types.NamespacedName, reconcile.Request]{
		GenericFunc: func(_ context.Context, e event.TypedGenericEvent[types.NamespacedName], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			q.Add(reconcile.Request{NamespacedName: e.Object})
		},
	}
}
