package client

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// owner is an owner reference of a controller.
func owner(kind, name, uid string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID(uid), Controller: ptr.To(true)}}
}

// meta is the metadata of an object in the namespace of the mesh.
func meta(name, uid string, owners []metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "osm-system", Name: name, UID: types.UID(uid), OwnerReferences: owners}
}

// deployment has the label of a mesh.
func deployment(name, uid, mesh string) *appsv1.Deployment {
	object := meta(name, uid, nil)
	object.Labels = map[string]string{names.MeshLabel: mesh}
	return &appsv1.Deployment{ObjectMeta: object}
}

// cluster has the mesh "osm" with one control plane, whose ReplicaSet is "set", and objects that are not of that mesh.
func cluster(t *testing.T, more ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects := []client.Object{
		&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v1", UID: "revision"}, Spec: v1alpha1.MeshRevisionSpec{Mesh: "osm", Namespace: "osm-system"}},
		&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "other-v1", UID: "other-revision"}, Spec: v1alpha1.MeshRevisionSpec{Mesh: "other", Namespace: "other-system"}},
		deployment(names.Controller, "deployment", "osm"),
		&appsv1.ReplicaSet{ObjectMeta: meta("osm-controller-5c", "set", owner("Deployment", names.Controller, "deployment"))},
		deployment("osm-controller-forged", "forged", "osm"),
		&appsv1.ReplicaSet{ObjectMeta: meta("osm-controller-forged-5c", "forged-set", owner("Deployment", "osm-controller-forged", "forged"))},
		deployment(names.WithSuffix(names.Controller, "v1"), "other", "other"),
		&appsv1.ReplicaSet{ObjectMeta: meta("osm-controller-other-5c", "other-set", owner("Deployment", "osm-controller-v1", "other"))},
		&appsv1.ReplicaSet{ObjectMeta: meta("osm-controller-lone", "lone-set", nil)},
		&appsv1.ReplicaSet{ObjectMeta: meta("osm-controller-earlier", "earlier-set", owner("Deployment", names.Controller, "earlier-deployment"))},
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, more...)...).Build()
}

// replica is a running pod with the labels of a controller.
func replica(name, app string, owners []metav1.OwnerReference) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: meta(name, name, owners)}
	pod.Labels = map[string]string{names.AppLabel: app}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}}
	return pod
}

// The author of a pod chooses its labels. Only owners prove that the pod is a replica.
func TestPodsThatNoRevisionCreatedAreNoReplicas(t *testing.T) {
	reader := cluster(t, replica("real", names.Controller, owner("ReplicaSet", "osm-controller-5c", "set")))
	notController := owner("ReplicaSet", "osm-controller-5c", "set")
	notController[0].Controller = nil
	otherGroup := owner("ReplicaSet", "osm-controller-5c", "set")
	otherGroup[0].APIVersion = "example.com/v1"
	for name, forged := range map[string]*corev1.Pod{
		"without owner": replica("forged", names.Controller, nil),
		"the name of the ReplicaSet, another UID": replica("forged", names.Controller, owner("ReplicaSet", "osm-controller-5c", "guessed")),
		"an owner that is not the controller":     replica("forged", names.Controller, notController),
		"a kind of another group":                 replica("forged", names.Controller, otherGroup),
		"a DaemonSet with that UID":               replica("forged", names.Controller, owner("DaemonSet", "osm-controller-5c", "set")),
		"a Deployment of a user":                  replica("forged", "osm-controller-forged", owner("ReplicaSet", "osm-controller-forged-5c", "forged-set")),
		"a Deployment of another mesh":            replica("forged", "osm-controller-v1", owner("ReplicaSet", "osm-controller-other-5c", "other-set")),
		"a ReplicaSet without Deployment":         replica("forged", names.Controller, owner("ReplicaSet", "osm-controller-lone", "lone-set")),
		"a ReplicaSet of a deleted Deployment":    replica("forged", names.Controller, owner("ReplicaSet", "osm-controller-earlier", "earlier-set")),
		"the label of another Deployment":         replica("forged", "osm-controller-canary", owner("ReplicaSet", "osm-controller-5c", "set")),
	} {
		if err := reader.Create(t.Context(), forged.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		got, err := ControlPlane{Mesh: "osm", Namespace: "osm-system"}.Replicas(reader)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Replica{{Name: "real", Address: "10.0.0.1:9094"}}, got); diff != "" {
			t.Errorf("%s: replicas (-want +got):\n%s", name, diff)
		}
		if err := reader.Delete(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
	}
}

// A pod of another namespace has other owners, whatever it names.
func TestOwnersAreOfTheSameNamespace(t *testing.T) {
	pod := replica("elsewhere", names.Controller, owner("ReplicaSet", "osm-controller-5c", "set"))
	pod.Namespace = "shop"
	got, err := ControlPlane{Mesh: "osm", Namespace: "osm-system"}.Owned(t.Context(), cluster(t), []corev1.Pod{*pod})
	if err != nil || slices.ContainsFunc(got, func(p corev1.Pod) bool { return p.Name == "elsewhere" }) {
		t.Errorf("pods %v (%v), want none of another namespace", got, err)
	}
}
