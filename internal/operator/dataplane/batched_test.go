package dataplane

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// A node that is lost changes all its pods at once. They cost one reconciliation of each mesh.
func TestEventsOfManyPodsAreOneRequest(t *testing.T) {
	clock := testingclock.NewFakeClock(time.Unix(0, 0))
	queue := workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Second),
		workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Clock: clock},
	)
	defer queue.ShutDown()
	handler := batched(func(_ context.Context, pod *corev1.Pod) []reconcile.Request { return requests(pod.Namespace) })
	for i := range 200 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: []string{"a", "b"}[i%2], Name: fmt.Sprint("pod-", i)}}
		handler.Update(t.Context(), event.TypedUpdateEvent[*corev1.Pod]{ObjectOld: pod, ObjectNew: pod}, queue)
	}
	if queue.Len() != 0 {
		t.Fatalf("%d requests before the events were collected", queue.Len())
	}
	clock.Step(podDelay)
	for deadline := time.Now().Add(10 * time.Second); queue.Len() < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if queue.Len() != 2 {
		t.Errorf("%d requests, want one for each mesh", queue.Len())
	}
}
