package endtoend

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Each Deployment of the population has ten pods, and each node has 200 of all.
const (
	podsOfDeployment = 10
	podsOfNode       = 200
	templateHash     = "5d8c7b6f4"
)

// population are the workloads of a mesh with many pods.
type population struct {
	client     client.Client
	revision   string
	namespaces int
	pods       int
}

func namespaceName(i int) string { return fmt.Sprintf("team-%04d", i) }

func (p population) namespace(i int) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceName(i)}}
}

// deployment is the name of the Deployment of a pod, and where it is.
func (p population) deployment(pod int) types.NamespacedName {
	number := pod / podsOfDeployment
	return types.NamespacedName{Namespace: namespaceName(number % p.namespaces), Name: fmt.Sprintf("web-%d", number/p.namespaces)}
}

// create creates nodes, namespaces, Deployments and ready pods with sidecars. No injector runs, so the namespaces join the mesh at the end.
func (p population) create(ctx context.Context) error {
	if err := each(ctx, (p.pods+podsOfNode-1)/podsOfNode, func(ctx context.Context, i int) error { return p.node(ctx, i, true) }); err != nil {
		return err
	}
	if err := each(ctx, p.namespaces, func(ctx context.Context, i int) error { return p.client.Create(ctx, p.namespace(i)) }); err != nil {
		return err
	}
	if err := each(ctx, p.pods/podsOfDeployment, func(ctx context.Context, i int) error {
		return p.createDeployment(ctx, p.deployment(i*podsOfDeployment))
	}); err != nil {
		return err
	}
	if err := each(ctx, p.pods, func(ctx context.Context, i int) error {
		pod := p.pod(i)
		if err := p.client.Create(ctx, pod); err != nil {
			return err
		}
		return p.setReady(ctx, pod, true)
	}); err != nil {
		return err
	}
	return each(ctx, p.namespaces, func(ctx context.Context, i int) error { return p.join(ctx, i, true) })
}

// node creates a node or changes whether it is ready.
func (p population) node(ctx context.Context, i int, ready bool) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%03d", i)}}
	if ready {
		if err := p.client.Create(ctx, node); err != nil {
			return err
		}
	} else if err := p.client.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
		return err
	}
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: conditionOf(ready), LastTransitionTime: metav1.Now(),
		LastHeartbeatTime: metav1.Now(),
	}}
	return p.client.Status().Update(ctx, node)
}

func conditionOf(ready bool) corev1.ConditionStatus {
	if ready {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// createDeployment creates a Deployment whose rollout is complete.
func (p population) createDeployment(ctx context.Context, name types.NamespacedName) error {
	labels := map[string]string{"app": name.Name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](podsOfDeployment), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		},
	}}
	if err := p.client.Create(ctx, d); err != nil {
		return err
	}
	return complete(ctx, p.client, d)
}

// complete writes that the rollout of a Deployment is complete.
func complete(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
	n := ptr.Deref(d.Spec.Replicas, 1)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
	return c.Status().Update(ctx, d)
}

// pod returns a pod with a sidecar.
func (p population) pod(i int) *corev1.Pod {
	owner := p.deployment(i)
	set := owner.Name + "-" + templateHash
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.Namespace, Name: fmt.Sprintf("%s-%05d", set, i),
			Labels: map[string]string{
				"app": owner.Name, appsv1.DefaultDeploymentUniqueLabelKey: templateHash,
				names.ProxyUUIDLabel: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), names.RevisionLabel: p.revision,
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: types.UID(set), Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%03d", i/podsOfNode), ServiceAccountName: owner.Name,
			InitContainers: []corev1.Container{
				{Name: names.InitContainer, Image: "init"}, {Name: names.SidecarContainer, Image: "envoy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
			},
			Containers: []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
}

// setReady writes the status of a pod, as the kubelet does.
func (p population) setReady(ctx context.Context, pod *corev1.Pod, ready bool) error {
	pod.Status = corev1.PodStatus{
		Phase:      corev1.PodRunning,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: conditionOf(ready), LastTransitionTime: metav1.Now()}},
		InitContainerStatuses: []corev1.ContainerStatus{
			{
				Name: names.SidecarContainer, Started: ptr.To(true), Ready: ready,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
			},
		},
	}
	return p.client.Status().Update(ctx, pod)
}

// change writes the readiness of a pod that exists.
func (p population) change(ctx context.Context, i int, ready bool) error {
	pod := p.pod(i)
	if err := p.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	return p.setReady(ctx, pod, ready)
}

// join makes a namespace a member, or ends that.
func (p population) join(ctx context.Context, i int, member bool) error {
	patch := `{"metadata":{"labels":{"` + names.MonitoredByLabel + `":null}}}`
	if member {
		patch = `{"metadata":{"labels":{"` + names.MonitoredByLabel + `":"` + meshName + `"}}}`
	}
	return p.client.Patch(ctx, p.namespace(i), client.RawPatch(types.MergePatchType, []byte(patch)))
}
