package operator_test

import (
	"context"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubelet makes Deployments ready in the namespaces that it serves.
type kubelet struct {
	client  client.Client
	watched cache.Cache
	// ctx ends with the tests.
	ctx context.Context

	mu         sync.Mutex
	namespaces map[string]bool
	// held are the Deployments that do not become ready.
	held map[client.ObjectKey]bool
}

// startKubelet watches Deployments until ctx is done.
func startKubelet(ctx context.Context, running *sync.WaitGroup, cfg *rest.Config, c client.Client) (*kubelet, error) {
	watched, err := cache.New(cfg, cache.Options{Scheme: c.Scheme()})
	if err != nil {
		return nil, err
	}
	k := &kubelet{client: c, watched: watched, ctx: ctx, namespaces: map[string]bool{}, held: map[client.ObjectKey]bool{}}
	informer, err := watched.GetInformer(ctx, &appsv1.Deployment{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	// After a conflict, the event of the other write retries.
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.update(object.(*appsv1.Deployment)) },
		UpdateFunc: func(_, object any) { k.update(object.(*appsv1.Deployment)) },
	})
	running.Go(func() { _ = watched.Start(ctx) })
	return k, err
}

// hold keeps a Deployment from becoming ready, or ends that.
func (k *kubelet) hold(namespace, name string, hold bool) {
	k.mu.Lock()
	k.held[client.ObjectKey{Namespace: namespace, Name: name}] = hold
	k.mu.Unlock()
	k.updateAll(namespace)
}

// serve makes all Deployments of a namespace ready.
func (k *kubelet) serve(namespace string) {
	k.mu.Lock()
	k.namespaces[namespace] = true
	k.mu.Unlock()
	k.updateAll(namespace)
}

// updateAll updates the Deployments of a namespace.
func (k *kubelet) updateAll(namespace string) {
	var deployments appsv1.DeploymentList
	if k.watched.List(k.ctx, &deployments, client.InNamespace(namespace)) != nil {
		return
	}
	for i := range deployments.Items {
		k.update(&deployments.Items[i])
	}
}

// update updates the status of a Deployment with an unobserved generation.
func (k *kubelet) update(d *appsv1.Deployment) {
	k.mu.Lock()
	served := k.namespaces[d.Namespace] && !k.held[client.ObjectKeyFromObject(d)]
	k.mu.Unlock()
	if !served || d.Status.ObservedGeneration == d.Generation {
		return
	}
	replicas := *d.Spec.Replicas
	d = d.DeepCopy()
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
	}
	_ = k.client.Status().Update(k.ctx, d)
}
