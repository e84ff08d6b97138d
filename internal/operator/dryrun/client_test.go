package dryrun_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// newDryRun returns a dry run over a cluster with some objects.
func newDryRun(t *testing.T, objects ...client.Object) (*dryrun.Cluster, *dryrun.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	base := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	cluster := dryrun.New(scheme, base.RESTMapper(), base, noon)
	return cluster, cluster.Client(base)
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "osm", Name: name, Labels: map[string]string{"of": "mesh"}}, Data: data}
}

// listByLabel returns the values of ConfigMaps with the label of the mesh, by name.
func listByLabel(t *testing.T, c client.Client) map[string]string {
	t.Helper()
	var list corev1.ConfigMapList
	if err := c.List(t.Context(), &list, client.InNamespace("osm"), client.MatchingLabels{"of": "mesh"}); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, item := range list.Items {
		found[item.Name] = item.Data["k"]
	}
	return found
}

func TestReadsReturnWrites(t *testing.T) {
	other := configMap("other", nil)
	other.Labels = nil
	cluster, c := newDryRun(t, configMap("kept", map[string]string{"k": "1"}), configMap("changed", map[string]string{"k": "1"}), configMap("gone", nil), other)
	ctx := t.Context()
	steps := []error{
		c.Create(ctx, configMap("new", map[string]string{"k": "2"})),
		c.Delete(ctx, configMap("gone", nil)),
		c.Patch(ctx, configMap("changed", nil), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"k":"3"}}`))),
	}
	for i, err := range steps {
		if err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if diff := cmp.Diff(map[string]string{"kept": "1", "new": "2", "changed": "3"}, listByLabel(t, c)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(configMap("gone", nil)), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("a deleted object is found: %v", err)
	}
	if err := c.Create(ctx, configMap("kept", nil)); !apierrors.IsAlreadyExists(err) {
		t.Errorf("an existing object is created: %v", err)
	}
	if err := c.Delete(ctx, configMap("never", nil)); !apierrors.IsNotFound(err) {
		t.Errorf("a missing object is deleted: %v", err)
	}
	checkChanges(t, cluster, "Create new", "Delete gone", "Update changed data.k")
}

// checkChanges compares the changes of a dry run with lines "<verb> <name> <fields>".
func checkChanges(t *testing.T, cluster *dryrun.Cluster, want ...string) {
	t.Helper()
	var got []string
	for _, change := range cluster.Changes() {
		line := string(change.Verb) + " " + change.Name
		for _, field := range change.Fields {
			line += " " + field
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// An object that was changed outside the operator is repaired. With a new configuration it is updated.
func TestApplyDistinguishesRepairFromUpdate(t *testing.T) {
	_, first := newDryRun(t)
	desired := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}, data: {k: "1", l: "1"}}`)
	if _, err := apply.New(first, dryrun.DiscardEvents{}).For(configMap("owner", nil)).Apply(t.Context(), desired); err != nil {
		t.Fatal(err)
	}
	live := &corev1.ConfigMap{}
	if err := first.Get(t.Context(), client.ObjectKeyFromObject(desired), live); err != nil {
		t.Fatal(err)
	}
	live.ResourceVersion = "" // the fake client rejects a version on creation
	live.Data["k"] = "changed"

	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"same configuration": {`{apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}, data: {k: "1", l: "1"}}`, []string{"Repair a data.k"}},
		"new configuration":  {`{apiVersion: v1, kind: ConfigMap, metadata: {namespace: osm, name: a}, data: {k: "1", l: "2"}}`, []string{"Update a data.k data.l"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, again := newDryRun(t, live.DeepCopy())
			applier := apply.New(again, dryrun.DiscardEvents{})
			for range 2 {
				if _, err := applier.For(configMap("owner", nil)).Apply(t.Context(), object(t, c.text)); err != nil {
					t.Fatal(err)
				}
			}
			checkChanges(t, cluster, c.want...)
			if cluster.Writes() != 1 || cluster.Unchanged() != 0 {
				t.Errorf("%d writes, %d unchanged: want 1 and 0", cluster.Writes(), cluster.Unchanged())
			}
		})
	}
}

func TestChangesLeaveOutTheStatus(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "osm", Name: "pod"}}
	cluster, c := newDryRun(t, pod)
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Spec.NodeName = "ignored"
	if err := c.Status().Patch(t.Context(), pod, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	if pod.Status.Phase != corev1.PodRunning || pod.Spec.NodeName != "" {
		t.Errorf("the status is %s, and the spec is on %q", pod.Status.Phase, pod.Spec.NodeName)
	}
	checkChanges(t, cluster)
}

func TestSimulateDeploymentsCompletesRollouts(t *testing.T) {
	labels := map[string]string{names.MeshLabel: "osm", names.AppLabel: "controller", names.VersionLabel: "old"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm", Name: "controller", Labels: labels, Generation: 7},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}},
	}
	cluster, c := newDryRun(t, deployment, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "osm", Name: "pod", Labels: labels}})
	pods := func() int {
		var list corev1.PodList
		if err := c.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	simulate := func() *appsv1.Deployment {
		if err := c.SimulateDeployments(t.Context(), "osm"); err != nil {
			t.Fatal(err)
		}
		found := &appsv1.Deployment{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(deployment), found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	if d := simulate(); d.Status.AvailableReplicas != 2 || d.Status.ObservedGeneration != 7 || pods() != 1 {
		t.Errorf("%d available at generation %d, %d pods", d.Status.AvailableReplicas, d.Status.ObservedGeneration, pods())
	}
	d := simulate()
	d.Spec.Template.Labels[names.VersionLabel] = "new"
	if err := c.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if d := simulate(); d.Status.ObservedGeneration != 8 || pods() != 0 {
		t.Errorf("generation %d, %d pods of the old version", d.Status.ObservedGeneration, pods())
	}
	checkChanges(t, cluster, "Update controller spec.template.metadata.labels."+names.VersionLabel)
}

// staticWorkloads never change.
type staticWorkloads []rollout.Workload

func (w staticWorkloads) Calls(context.Context) ([]rollout.Call, error) { return nil, nil }

func (w staticWorkloads) OldKubelets(context.Context) ([]string, error) { return nil, nil }

func (w staticWorkloads) Workloads(context.Context, string) ([]rollout.Workload, error) {
	return append([]rollout.Workload(nil), w...), nil
}

func TestRestartsAtTheSameTimeAreOneWave(t *testing.T) {
	refs := []rollout.Ref{{Kind: "Deployment", Namespace: "a", Name: "x"}, {Kind: "Deployment", Namespace: "a", Name: "y"}, {Kind: "Deployment", Namespace: "b", Name: "z"}}
	var workloads staticWorkloads
	for _, ref := range refs {
		workloads = append(workloads, rollout.Workload{Ref: ref, Sidecars: map[string]int{"old": 2, "older": 1}})
	}
	cluster, _ := newDryRun(t)
	plane := cluster.DataPlane(workloads)
	for i, ref := range refs {
		if i == 2 {
			cluster.AdvanceClock(time.Second)
		}
		if err := plane.Restart(t.Context(), ref, "new", cluster.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([][]rollout.Ref{refs[:2], refs[2:]}, plane.Waves()); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
	now, err := plane.Workloads(t.Context(), "osm")
	if err != nil || now[0].Sidecars["new"] != 3 || !now[0].Ready || workloads[0].Sidecars["old"] != 2 {
		t.Errorf("the restarted workload is %+v (%v)", now[0], err)
	}
}

// A dry run cannot change the real cluster, because no type of the package holds a writer.
func TestNoTypeHoldsAWriter(t *testing.T) {
	writer := reflect.TypeFor[client.Writer]()
	for _, kind := range []reflect.Type{reflect.TypeFor[dryrun.Client](), reflect.TypeFor[dryrun.Cluster](), reflect.TypeFor[dryrun.DataPlane]()} {
		for i := range kind.NumField() {
			if field := kind.Field(i); field.Type.Implements(writer) {
				t.Errorf("%s.%s can write: use a client.Reader", kind, field.Name)
			}
		}
	}
}

// Components have objects of kinds that the operator has no types for.
func TestKindsWithoutTypesAreApplied(t *testing.T) {
	cluster, c := newDryRun(t)
	monitor := object(t, `{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {namespace: osm, name: a}, spec: {jobLabel: app}}`)
	if outcome, err := apply.New(c, dryrun.DiscardEvents{}).For(configMap("owner", nil)).Apply(t.Context(), monitor); err != nil || outcome != apply.Created {
		t.Errorf("%s (%v)", outcome, err)
	}
	checkChanges(t, cluster, "Create a")
}
