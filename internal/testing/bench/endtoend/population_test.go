package endtoend

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
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
		pod, err := p.pod(i)
		if err != nil {
			return err
		}
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
	if err := p.client.Create(ctx, node); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	if err := p.client.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
		return err
	}
	node.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: "v1.36.0", OperatingSystem: "linux"}
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

// pod returns a pod with a sidecar in two slots, and as much else as pods of applications have: about 15 kB.
func (p population) pod(i int) (*corev1.Pod, error) {
	owner := p.deployment(i)
	set := owner.Name + "-" + templateHash
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.Namespace, Name: fmt.Sprintf("%s-%05d", set, i),
			Labels:          map[string]string{"app": owner.Name, appsv1.DefaultDeploymentUniqueLabelKey: templateHash},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: types.UID(set), Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%03d", i/podsOfNode), ServiceAccountName: owner.Name,
			Containers: []corev1.Container{{
				Name: "app", Image: "registry.example.com/team/application:v1.2.3", Env: variables(), EnvFrom: []corev1.EnvFromSource{{
					ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}},
				}},
			}},
		},
	}
	return inject.Mutate(pod, inject.Namespace{Name: owner.Namespace, Labels: map[string]string{names.MonitoredByLabel: meshName}}, inject.Config{
		Mesh: meshName, Namespace: namespace, TrustDomain: mesh.TrustDomain, Revision: p.revision, EnvoyImage: "example.com/any:v1", InitImage: "example.com/any:v1",
		InPlace: true, SlotsLevel: 1,
	}, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
}

// variables returns the environment of an application.
func variables() []corev1.EnvVar {
	const count = 40
	var all []corev1.EnvVar
	for i := range count {
		all = append(all, corev1.EnvVar{Name: fmt.Sprintf("SETTING_OF_THE_APPLICATION_%02d", i), Value: "a value of some length, as addresses and options have"})
	}
	return all
}

// setReady writes the status of a pod, as the kubelet does.
func (p population) setReady(ctx context.Context, pod *corev1.Pod, ready bool) error {
	pod.Status = corev1.PodStatus{
		Phase:      corev1.PodRunning,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: conditionOf(ready), LastTransitionTime: metav1.Now()}},
	}
	for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{
			Name: slot, Started: ptr.To(true), Ready: ready, Image: "example.com/any:v1", ImageID: "example.com/any@sha256:" + strings.Repeat("0", 64),
			ContainerID: "containerd://" + strings.Repeat("0", 64), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		})
	}
	return p.client.Status().Update(ctx, pod)
}

// change writes the readiness of a pod that exists.
func (p population) change(ctx context.Context, i int, ready bool) error {
	pod, err := p.pod(i)
	if err != nil {
		return err
	}
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
