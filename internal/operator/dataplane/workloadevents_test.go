package dataplane

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// A workload that is edited may be restarted now. All are created when the operator starts, and that says nothing.
func TestEditsRequestReconciliations(t *testing.T) {
	plane, driven := planeOf(namespace("shop", "osm"), namespace("outside", "")), &drivenCache{}
	plane.cache = driven
	queue := begin(t, watchWorkloads(plane, &appsv1.Deployment{}))
	deployments, before := driven.informer(t, &appsv1.Deployment{}), deployment("web")
	edited, reported, outside := before.DeepCopy(), before.DeepCopy(), before.DeepCopy()
	edited.Generation, reported.Status.Replicas, outside.Namespace = 2, 7, "outside"
	outsideEdited := outside.DeepCopy()
	outsideEdited.Generation = 2
	for name, test := range map[string]struct {
		event func()
		want  []string
	}{
		"created":             {func() { deployments.Add(before) }, nil},
		"edited":              {func() { deployments.Update(before, edited) }, []string{"osm"}},
		"reported":            {func() { deployments.Update(before, reported) }, nil},
		"edited without mesh": {func() { deployments.Update(outside, outsideEdited) }, nil},
		"deleted":             {func() { deployments.Delete(before) }, nil},
	} {
		test.event()
		if got := queue.take(); !slices.Equal(got, test.want) {
			t.Errorf("a Deployment that is %s requests %q, want %q", name, got, test.want)
		}
	}
}

// A pod concerns the mesh of its sidecar and the mesh of its namespace, which are two if the namespace has moved.
func TestPodsRequestReconciliations(t *testing.T) {
	plane, driven := planeOf(namespace("shop", "osm"), namespace("outside", "")), &drivenCache{}
	plane.cache = driven
	queue := begin(t, plane.Sources()[0])
	pods := driven.informer(t, &corev1.Pod{})
	for _, test := range []struct {
		namespace, revision string
		want                []string
	}{
		{"shop", "osm-v0-2-0", []string{"osm"}},
		{"shop", "other-v0-2-0", []string{"other", "osm"}},
		{"shop", "", []string{"osm"}},
		{"outside", "osm-v0-2-0", []string{"osm"}},
		{"outside", "", nil},
	} {
		p := pod("web", test.revision, "", "")
		p.Namespace = test.namespace
		pods.Add(&p)
		if got := queue.take(); !slices.Equal(got, test.want) {
			t.Errorf("a pod of %q in %s requests %q, want %q", test.revision, test.namespace, got, test.want)
		}
	}
}
