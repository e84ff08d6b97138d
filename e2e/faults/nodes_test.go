package faults

import (
	"context"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// marked is how long Kubernetes takes pods to be not ready.
const marked = 20 * time.Second

// markNotReady marks all servers as not ready again and again, as the controller of nodes does when they do not report. The kubelet corrects it each time.
func markNotReady(t *testing.T) effect {
	pods := podsOf(t, inside, store)
	ctx, cancel := context.WithCancel(t.Context())
	patch := client.RawPatch(types.StrategicMergePatchType, []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`))
	var running sync.WaitGroup
	running.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			for i := range pods {
				if err := cluster.Client.Status().Patch(ctx, pods[i].DeepCopy(), patch); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) {
					t.Error(err)
				}
			}
		}
	})
	return effect{end: func() { cancel(); running.Wait() }}
}
