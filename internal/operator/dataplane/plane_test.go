package dataplane

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// readerCache is a cache with the content of a reader.
type readerCache struct {
	cache.Cache
	reader client.Reader
}

func (c readerCache) Get(ctx context.Context, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
	return c.reader.Get(ctx, key, object, o...)
}

func (c readerCache) List(ctx context.Context, list client.ObjectList, o ...client.ListOption) error {
	return c.reader.List(ctx, list, o...)
}

func (readerCache) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return controllertest.NewFakeInformer(controllertest.Synced), nil
}

// servedKinds are the kinds of the API server, by their group and version.
type servedKinds map[string][]string

func (k servedKinds) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	if len(k[version]) == 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, version)
	}
	list := &metav1.APIResourceList{}
	for _, kind := range k[version] {
		list.APIResources = append(list.APIResources, metav1.APIResource{Kind: kind})
	}
	return list, nil
}

// planeOf returns a Plane that observes some objects. It has no live reader.
func planeOf(objects ...client.Object) *Plane {
	served := servedKinds{}
	for _, object := range objects {
		if workload, ok := object.(*unstructured.Unstructured); ok {
			served[workload.GetAPIVersion()] = append(served[workload.GetAPIVersion()], workload.GetKind())
		}
	}
	reader := fake.NewClientBuilder().WithObjects(objects...).Build()
	p := &Plane{cache: readerCache{reader: reader}, namespaces: reader, writer: reader, now: func() time.Time { return noon.Add(time.Hour) }}
	p.thirdParty = newKindWatches(p.cache, served, p.meshOf, p.now)
	return p
}

func namespace(name, mesh string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if mesh != "" {
		n.Labels = map[string]string{names.MonitoredByLabel: mesh}
	}
	return n
}

func refs(workloads []rollout.Workload) (list []string) {
	for _, w := range workloads {
		list = append(list, w.Ref.Namespace+"/"+w.Ref.Name)
	}
	return list
}

// The author of a pod writes its labels. Labels that count let anybody block upgrades and removals, and restart workloads.
func TestLabelsAloneMakeNoSidecar(t *testing.T) {
	in := func(namespace string, p corev1.Pod) *corev1.Pod { p.Namespace = namespace; return &p }
	forged := func(p *corev1.Pod) { p.Spec.InitContainers = nil; p.Labels[names.ProxyUUIDLabel] = "1" }
	plane := planeOf(
		namespace("shop", "osm"), namespace("outside", ""), namespace("earlier", ""), namespace("other", "other"),
		in("shop", pod("real", "osm-v0-2-0", "", "")), in("shop", pod("forged", "osm-v0-2-0", "", "", forged)),
		in("outside", pod("forged", "osm-v0-2-0", "", "", forged)), in("earlier", pod("kept", "osm-v0-2-0", "", "")),
		in("other", pod("other", "osm-v0-2-0", "", "")),
	)
	upgrade, err := plane.Workloads(t.Context(), "osm")
	if got := refs(upgrade); err != nil || !slices.Equal(got, []string{"shop/real"}) {
		t.Errorf("an upgrade counts %v (%v)", got, err)
	}
	left, err := plane.SidecarPods(t.Context(), "osm")
	want := []rollout.Ref{{Kind: "Pod", Namespace: "earlier", Name: "kept"}, {Kind: "Pod", Namespace: "shop", Name: "real"}}
	if diff := cmp.Diff(want, left); err != nil || diff != "" {
		t.Errorf("a removal waits for other pods (-want +got): %s (%v)", diff, err)
	}
}

// A removal that lists all pods of the cluster from the API server each time is expensive. This Plane has no API server.
func TestSidecarsAreCountedInTheCache(t *testing.T) {
	terminating, finished := pod("last", "osm-v0-2-0", "", ""), pod("done", "osm-v0-2-0", "", "")
	terminating.DeletionTimestamp, terminating.Finalizers = &metav1.Time{Time: noon}, []string{"example.org/held"}
	finished.Status.Phase = corev1.PodSucceeded
	left, err := planeOf(namespace("shop", "osm"), &terminating, &finished).SidecarPods(t.Context(), "osm")
	if err != nil || len(left) != 1 || left[0].Name != "last" {
		t.Errorf("a removal waits for %v (%v), want the terminating pod", left, err)
	}
}

// A Deployment with the strategy Recreate has no pod for a moment. An upgrade that finds workloads by their pods loses it then.
func TestWorkloadIsFoundWithoutPods(t *testing.T) {
	deployment := func(name, revision string, replicas int32) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To(replicas)}}
		d.Spec.Template.Annotations = map[string]string{names.RestartAnnotation: formatRestart(rollout.Restart{Revision: revision, At: noon})}
		return d
	}
	elsewhere := deployment("elsewhere", "osm-v0-2-0", 1)
	elsewhere.Namespace = "outside"
	workloads, err := planeOf(
		namespace("shop", "osm"), namespace("outside", ""), deployment("recreated", "osm-v0-2-0", 1), deployment("stopped", "osm-v0-2-0", 0),
		deployment("other", "other-v0-2-0", 1), elsewhere,
	).Workloads(t.Context(), "osm")
	if err != nil {
		t.Fatal(err)
	}
	want := []rollout.Workload{
		{Ref: rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "recreated"}, Sidecars: map[string]int{}, Restart: rollout.Restart{Revision: "osm-v0-2-0", At: noon}},
		{Ref: rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "stopped"}, Sidecars: map[string]int{}, Ready: true, Restart: rollout.Restart{Revision: "osm-v0-2-0", At: noon}},
	}
	if diff := cmp.Diff(want, workloads); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
