package dataplane

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workloadCache holds every workload.
type workloadCache struct{ cache.Cache }

func (workloadCache) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	return nil
}

// rejectingWriter rejects every patch.
type rejectingWriter struct {
	client.Writer
	err error
}

func (w rejectingWriter) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return w.err
}

func TestRestartErrorNamesTheWorkload(t *testing.T) {
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	denied := apierrors.NewForbidden(schema.GroupResource{Group: appsv1.GroupName, Resource: "deployments"}, "web", errors.New("denied by policy"))
	plane := &Plane{cache: workloadCache{}, writer: rejectingWriter{err: denied}}
	err := plane.Restart(t.Context(), ref, "osm-v0-2-0", noon)
	var rejected *RestartError
	if !errors.As(err, &rejected) || rejected.Workload != ref {
		t.Fatalf("error = %v, want a RestartError of %s", err, ref)
	}
	if !apierrors.IsForbidden(err) {
		t.Errorf("the error of the API server is lost: %v", err)
	}
}

// A restart is written to the pod template, and a workload that cannot be read is an error of that workload only.
func TestRestart(t *testing.T) {
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	plane := planeOf(deployment("web"))
	if err := plane.Restart(t.Context(), ref, "osm-v0-2-0", noon); err != nil {
		t.Fatal(err)
	}
	object, err := plane.read(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	want := rollout.Restart{Revision: "osm-v0-2-0", At: noon}
	if got := parseRestart(object.(*appsv1.Deployment).Spec.Template.Annotations[names.RestartAnnotation]); got != want {
		t.Errorf("the recorded restart is %+v, want %+v", got, want)
	}
	var rejected *RestartError
	broken := errors.New("no connection")
	failAt(plane, "*v1.Deployment", 0, broken)
	if err := plane.Restart(t.Context(), ref, "osm-v0-2-0", noon); !errors.As(err, &rejected) || !errors.Is(err, broken) {
		t.Errorf("without the Deployment, the error is %v", err)
	}
}

// The version of a workload changes with what a user edits, and not with what controllers report.
func TestVersionOf(t *testing.T) {
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	version := func(edit func(*appsv1.Deployment, *corev1.Namespace)) string {
		deployment, shop := &appsv1.Deployment{}, namespace("shop", "osm")
		deployment.Namespace, deployment.Name, deployment.UID, deployment.Generation = ref.Namespace, ref.Name, "1", 1
		edit(deployment, shop)
		return planeOf(deployment, shop).VersionOf(t.Context(), ref)
	}
	before := version(func(*appsv1.Deployment, *corev1.Namespace) {})
	for name, c := range map[string]struct {
		edit    func(*appsv1.Deployment, *corev1.Namespace)
		changes bool
	}{
		"status":              {func(d *appsv1.Deployment, _ *corev1.Namespace) { d.Status.Replicas, d.ResourceVersion = 3, "7" }, false},
		"spec":                {func(d *appsv1.Deployment, _ *corev1.Namespace) { d.Generation = 2 }, true},
		"labels":              {func(d *appsv1.Deployment, _ *corev1.Namespace) { d.Labels = map[string]string{"exempt": "yes"} }, true},
		"label of namespace":  {func(_ *appsv1.Deployment, n *corev1.Namespace) { n.Labels["exempt"] = "yes" }, true},
		"status of namespace": {func(_ *appsv1.Deployment, n *corev1.Namespace) { n.Status.Phase = corev1.NamespaceActive }, false},
		"annotation of namespace": {
			func(_ *appsv1.Deployment, n *corev1.Namespace) { n.Annotations = map[string]string{"exempt": "yes"} }, true,
		},
	} {
		if got := version(c.edit) != before; got != c.changes {
			t.Errorf("%s: the version changes: %t, want %t", name, got, c.changes)
		}
	}
	if got := planeOf(namespace("shop", "osm")).VersionOf(t.Context(), ref); before == "" || got != "" {
		t.Errorf("the versions are %q, and %q without a workload", before, got)
	}
}

func TestIsEdited(t *testing.T) {
	before := &appsv1.Deployment{}
	scaled, labelled, reported := before.DeepCopy(), before.DeepCopy(), before.DeepCopy()
	scaled.Generation, labelled.Labels, reported.Status.Replicas = 2, map[string]string{"exempt": "yes"}, 3
	if !isEdited(before, scaled) || !isEdited(before, labelled) || isEdited(before, reported) {
		t.Errorf("edited: spec %t, labels %t, status %t; want true, true, false", isEdited(before, scaled), isEdited(before, labelled), isEdited(before, reported))
	}
}
