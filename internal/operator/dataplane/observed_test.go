package dataplane

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deployment returns one of a complete rollout.
func deployment(name string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}}
	d.Spec.Template.Labels = map[string]string{"app": name}
	d.Status = appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
	return d
}

// deployed returns a pod of a Deployment.
func deployed(name string) *corev1.Pod {
	p := pod(name+"-5c-a", "osm-v0-1-0", "ReplicaSet", name+"-5c", hash("5c"))
	return &p
}

// observe returns the only workload that a Plane finds.
func observe(t *testing.T, objects ...client.Object) rollout.Workload {
	t.Helper()
	workloads, err := planeOf(objects...).Workloads(t.Context(), "osm")
	if err != nil || len(workloads) != 1 {
		t.Fatalf("the workloads are %+v (%v), want one", workloads, err)
	}
	return workloads[0]
}

// TestObjectsOfWorkloads are read from the cluster with their pods: their state, their PodDisruptionBudgets, and the labels of their namespaces.
func TestObjectsOfWorkloads(t *testing.T) {
	shop, out, strict := namespace("shop", "osm"), namespace("shop", "osm"), budget("strict", "web", 0)
	out.Labels[names.RestartLabel] = restartDisabled
	if w := observe(t, shop, deployed("web"), deployment("web")); !w.Ready || w.OptedOut || w.Blocked != "" {
		t.Errorf("the workload is %+v, want one that is ready", w)
	}
	if w := observe(t, shop, deployed("web"), deployment("web"), &strict); w.Blocked != "strict" {
		t.Errorf("with a strict budget, the workload is blocked by %q", w.Blocked)
	}
	if w := observe(t, out, deployed("web"), deployment("web")); !w.OptedOut {
		t.Error("in a namespace that opts out, the workload does not")
	}
	// Its pods outlive it for a while.
	if w := observe(t, shop, deployed("web")); w.Ready || w.Unread != "" {
		t.Errorf("without its Deployment, the workload is %+v", w)
	}
}

// A namespace that is ignored has no mesh, whatever its other labels say.
func TestIgnoredNamespacesHaveNoMesh(t *testing.T) {
	ignored := namespace("shop", "osm")
	ignored.Labels[names.IgnoreLabel] = "true"
	workloads, err := planeOf(ignored, deployed("web"), deployment("web")).Workloads(t.Context(), "osm")
	if err != nil || len(workloads) != 0 {
		t.Errorf("the workloads are %+v (%v), want none", workloads, err)
	}
}

// A bare pod may have the name of a Deployment, which says nothing about it. What follows it in the list is read all the same.
func TestPodsWithTheNameOfADeployment(t *testing.T) {
	bare, stopped := pod("a", "osm-v0-1-0", "", ""), deployment("a")
	stopped.Status.AvailableReplicas = 0
	workloads, err := planeOf(namespace("shop", "osm"), &bare, stopped, deployed("web"), deployment("web")).Workloads(t.Context(), "osm")
	if err != nil || len(workloads) != 2 || !workloads[0].Ready || !workloads[1].Ready {
		t.Errorf("the workloads are %+v (%v), want two that are ready", workloads, err)
	}
}

// TestObjectOf returns an object of the kind that a workload is of.
func TestObjectOf(t *testing.T) {
	for kind, want := range map[string]string{
		"Deployment": "*v1.Deployment", "StatefulSet": "*v1.StatefulSet", "DaemonSet": "*v1.DaemonSet", nameOf(kruiseSetKind): "*unstructured.Unstructured",
	} {
		object := objectOf(rollout.Ref{Kind: kind, Namespace: "shop", Name: "web"})
		if got := fmt.Sprintf("%T", object); got != want || object.GetNamespace() != "shop" || object.GetName() != "web" {
			t.Errorf("the object of a %s is a %s of the name %s/%s, want a %s", kind, got, object.GetNamespace(), object.GetName(), want)
		}
	}
}

// The end of a rollout is written by another machine, whose clock may be ahead.
func TestRolloutsInTheFuture(t *testing.T) {
	d, plane := deployment("web"), planeOf()
	d.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentProgressing, Reason: "NewReplicaSetAvailable", LastUpdateTime: metav1.NewTime(plane.now().Add(time.Hour)),
	}}
	if got := plane.stateOf(d).rolledOut; !got.Equal(plane.now()) {
		t.Errorf("the rollout was complete at %s, want %s", got, plane.now())
	}
}

// The author of a pod writes its labels, also on a pod whose sidecar an Open Service Mesh has made.
func TestSidecarsOfOSMHaveNoRevision(t *testing.T) {
	p := pod("web", "osm-v0-1-0", "", "", func(p *corev1.Pod) {
		p.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: names.SidecarContainer}}}
	})
	if got := revisionOf(&p); got != "" {
		t.Errorf("the revision is %q, want none", got)
	}
}
