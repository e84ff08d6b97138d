package enqueue

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// meshWith returns a mesh with conditions, at a resource version.
func meshWith(version string, conditions ...metav1.Condition) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{}
	mesh.Name, mesh.ResourceVersion, mesh.Generation = "osm", version, 1
	mesh.Status.Conditions = conditions
	return mesh
}

func condition(kind string, status metav1.ConditionStatus, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: "Any", Message: message}
}

func TestMeshChanges(t *testing.T) {
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	installed := func(status metav1.ConditionStatus, message string) metav1.Condition {
		return condition(v1alpha1.ConditionInstalled, status, message)
	}
	edited, deleted, finalized := meshWith("2", ready), meshWith("2", ready), meshWith("2", ready)
	annotated, labelled := meshWith("2", ready), meshWith("2", ready)
	annotated.Annotations, labelled.Labels = map[string]string{"retry": "now"}, map[string]string{"team": "shop"}
	edited.Generation = 2
	now := metav1.Now()
	deleted.DeletionTimestamp = &now
	finalized.Finalizers = []string{"a"}
	reobserved := installed(metav1.ConditionTrue, "")
	reobserved.ObservedGeneration = 2
	for name, c := range map[string]struct {
		before, after *v1alpha1.Mesh
		want          bool
	}{
		"resync":                    {meshWith("1", ready), meshWith("1", ready), true},
		"spec":                      {meshWith("1", ready), edited, true},
		"deletion":                  {meshWith("1", ready), deleted, true},
		"finalizer":                 {meshWith("1", ready), finalized, true},
		"annotation":                {meshWith("1", ready), annotated, true},
		"label":                     {meshWith("1", ready), labelled, true},
		"first summary":             {meshWith("1"), meshWith("2", ready), true},
		"watched condition appears": {meshWith("1", ready), meshWith("2", ready, installed(metav1.ConditionTrue, "")), true},
		"watched condition changes": {meshWith("1", ready, installed(metav1.ConditionFalse, "")), meshWith("2", ready, installed(metav1.ConditionTrue, "")), true},
		"watched generation":        {meshWith("1", ready, installed(metav1.ConditionTrue, "")), meshWith("2", ready, reobserved), true},
		"message of a watched condition": {
			meshWith("1", ready, installed(metav1.ConditionTrue, "a")), meshWith("2", ready, installed(metav1.ConditionTrue, "b")), false,
		},
		"another condition": {meshWith("1", ready), meshWith("2", ready, condition(v1alpha1.ConditionUpgrading, metav1.ConditionTrue, "")), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := MeshChanges(v1alpha1.ConditionInstalled).Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
				t.Errorf("passes is %v, want %v", got, c.want)
			}
		})
	}
}

func TestOnlyDeletes(t *testing.T) {
	p := OnlyDeletes()
	if p.Create(event.CreateEvent{}) || p.Update(event.UpdateEvent{}) || p.Generic(event.GenericEvent{}) || !p.Delete(event.DeleteEvent{}) {
		t.Error("something other than deletions passes, or deletions do not")
	}
}

// requests runs an update event through a handler.
func requests(t *testing.T, h handler.EventHandler, before, after *corev1.ConfigMap) []string {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	h.Update(context.Background(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)
	var found []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		found = append(found, request.Name)
		queue.Done(request)
	}
	slices.Sort(found)
	return found
}

func TestByMeshLabel_RequestsTheMeshBeforeAndAfter(t *testing.T) {
	labelled := func(mesh string) *corev1.ConfigMap {
		object := &corev1.ConfigMap{}
		if mesh != "" {
			object.Labels = map[string]string{names.MeshLabel: mesh}
		}
		return object
	}
	for _, c := range []struct {
		before, after string
		want          []string
	}{{"a", "b", []string{"a", "b"}}, {"a", "a", []string{"a"}}, {"a", "", []string{"a"}}, {"", "", nil}} {
		if got := requests(t, ByMeshLabel(), labelled(c.before), labelled(c.after)); !slices.Equal(got, c.want) {
			t.Errorf("from %q to %q requests are %v, want %v", c.before, c.after, got, c.want)
		}
	}
}

// TestMeshConfigReconcilesItsMesh checks that an edit of a MeshConfig reconciles the mesh in its namespace only.
func TestMeshConfigReconcilesItsMesh(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	one, two := meshWith("1"), meshWith("1")
	one.Name, one.Spec.Namespace = "one", ptr.To("one-system")
	two.Name, two.Spec.Namespace = "two", ptr.To("two-system")
	catalogue, err := operand.NewCatalogue("dev", operand.Images{})
	if err != nil {
		t.Fatal(err)
	}
	mapper := Mapper{Cluster: &observe.Cluster{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(one, two).Build(), Catalogue: catalogue}}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "two-system", Name: names.MeshConfig}}
	if got := requests(t, mapper.BySiblings(), config, config.DeepCopy()); !slices.Equal(got, []string{"two"}) {
		t.Errorf("requests are %v, want one for the mesh two", got)
	}
}
