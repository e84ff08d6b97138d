package operator_test

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubelet makes Deployments ready in the namespaces that it serves.
type kubelet struct {
	client client.Client

	mu         sync.Mutex
	namespaces map[string]bool
	// held are the Deployments that do not become ready.
	held map[client.ObjectKey]bool
}

func newKubelet(c client.Client) *kubelet {
	return &kubelet{client: c, namespaces: map[string]bool{}, held: map[client.ObjectKey]bool{}}
}

// hold keeps a Deployment from becoming ready, or ends that.
func (k *kubelet) hold(namespace, name string, hold bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[client.ObjectKey{Namespace: namespace, Name: name}] = hold
}

// serve makes all Deployments of a namespace ready.
func (k *kubelet) serve(namespace string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.namespaces[namespace] = true
}

// run updates Deployments until ctx is done.
func (k *kubelet) run(ctx context.Context) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			k.updateAll(ctx)
		}
	}
}

// updateAll updates the status of every Deployment with an unobserved generation.
func (k *kubelet) updateAll(ctx context.Context) {
	var deployments appsv1.DeploymentList
	if k.client.List(ctx, &deployments) != nil {
		return
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		k.mu.Lock()
		served := k.namespaces[d.Namespace] && !k.held[client.ObjectKeyFromObject(d)]
		k.mu.Unlock()
		if !served || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		replicas := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		}
		// The next tick retries after a conflict.
		_ = k.client.Status().Update(ctx, d)
	}
}
