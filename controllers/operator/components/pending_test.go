package components

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	meshstatus "github.com/openservicemesh/osm-operator/internal/operator/status"
)

// server is a component with a Deployment, a ConfigMap that its pods read, and a Service.
type server struct {
	name, image, config string
}

func (s *server) Name() string               { return s.name }
func (s *server) Requires() []component.Kind { return nil }
func (s *server) Images() []component.Image  { return nil }

func (s *server) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, s.name)
}

func (s *server) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	meta := func() metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "osm-system", Name: s.name} }
	config := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta(), Data: map[string]string{"config": s.config}}
	selector := map[string]string{"app": s.name}
	return component.Labelled(inputs, config,
		&corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(), Spec: corev1.ServiceSpec{Selector: selector}},
		&appsv1.Deployment{
			TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta(),
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: selector},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: selector, Annotations: map[string]string{component.ConfigHashAnnotation: component.ConfigHash(config)}},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "server", Image: s.image}}},
				},
			},
		})
}

// bench is an operator with two components in an API server without controllers of Deployments.
type bench struct {
	*testing.T
	*Reconciler
	mesh   *v1alpha1.Mesh
	first  *server
	second *server
	// rollout is the pending one of the control plane.
	rollout string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "m", Generation: 1}}
	mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(mesh, &appsv1.Deployment{}).WithObjects(mesh).
		WithInterceptorFuncs(interceptor.Funcs{Apply: applyWithGeneration}).Build()
	b := &bench{
		T: t, mesh: mesh, first: &server{"first", "first:1", "a"}, second: &server{"second", "second:1", "a"},
	}
	b.Reconciler = &Reconciler{
		Cluster: &observe.Cluster{Client: c, Now: time.Now}, Status: meshstatus.NewWriter(c), Objects: c, Applier: apply.New(c, events.NewFakeRecorder(1000)), Kinds: allKinds{},
		Components: []component.Component{b.first, b.second},
	}
	return b
}

// applyWithGeneration counts the changes of a Deployment's spec, as an API server does.
func applyWithGeneration(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
	applied, _ := object.(interface{ GetName() string })
	before, after := &appsv1.Deployment{}, &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: "osm-system", Name: applied.GetName()}
	if err := c.Get(ctx, key, before); client.IgnoreNotFound(err) != nil {
		return err
	}
	if err := c.Apply(ctx, object, options...); err != nil {
		return err
	}
	if err := c.Get(ctx, key, after); err != nil || equality.Semantic.DeepEqual(before.Spec, after.Spec) {
		return client.IgnoreNotFound(err)
	}
	after.Generation++
	return c.Update(ctx, after)
}

// pass reconciles all components once, and returns the condition.
func (b *bench) pass() metav1.Condition {
	b.Helper()
	session := b.Applier.For(b.mesh)
	statuses, _ := b.reconcileAll(b.Context(), session, b.mesh, component.Inputs{Mesh: b.mesh}, b.rollout)
	if err := b.writeStatus(b.Context(), session, b.mesh, statuses); err != nil {
		b.Fatal(err)
	}
	return readyCondition(statuses)
}

func (b *bench) deployment(name string) *appsv1.Deployment {
	b.Helper()
	d := &appsv1.Deployment{}
	if err := b.Client.Get(b.Context(), client.ObjectKey{Namespace: "osm-system", Name: name}, d); err != nil {
		b.Fatal(err)
	}
	return d
}

// rollOut makes all pods of a component ready, or none.
func (b *bench) rollOut(name string, ready bool) {
	b.Helper()
	d := b.deployment(name)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1}
	if ready {
		d.Status.ReadyReplicas, d.Status.AvailableReplicas = 1, 1
	}
	if err := b.Client.Status().Update(b.Context(), d); err != nil {
		b.Fatal(err)
	}
}

// install runs the first version of both components.
func (b *bench) install() {
	b.Helper()
	b.pass()
	b.rollOut("first", true)
	b.rollOut("second", true)
	b.pass()
	if condition := b.pass(); condition.Status != metav1.ConditionTrue || condition.Message != "all components are ready" {
		b.Fatalf("after the installation: %+v", condition)
	}
}

// requireRuns verifies the image and the configuration of a component.
func (b *bench) requireRuns(name, image, config string) {
	b.Helper()
	if got := b.deployment(name).Spec.Template.Spec.Containers[0].Image; got != image {
		b.Fatalf("%s runs %s, want %s", name, got, image)
	}
	live := &corev1.ConfigMap{}
	if err := b.Client.Get(b.Context(), client.ObjectKey{Namespace: "osm-system", Name: name}, live); err != nil || live.Data["config"] != config {
		b.Fatalf("the configuration of %s is %v (%v), want %s", name, live.Data, err, config)
	}
}

// requireCondition verifies the condition, and that its message has all parts.
func requireCondition(t *testing.T, got metav1.Condition, status metav1.ConditionStatus, reason string, parts ...string) {
	t.Helper()
	if got.Status != status || got.Reason != reason {
		t.Fatalf("condition %s %s: %s; want %s %s", got.Status, got.Reason, got.Message, status, reason)
	}
	for _, part := range parts {
		if !strings.Contains(got.Message, part) {
			t.Fatalf("the message is %q, want %q in it", got.Message, part)
		}
	}
}

// reject makes the API server reject Deployments with an image until the returned function is called.
func (b *bench) reject(image string) (admit func()) {
	b.Helper()
	inner, ok := b.Client.(client.WithWatch)
	if !ok {
		b.Fatal("the client has no watch")
	}
	rejected := true
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			content, _ := object.(interface{ UnstructuredContent() map[string]any })
			d := &appsv1.Deployment{}
			if content != nil && runtime.DefaultUnstructuredConverter.FromUnstructured(content.UnstructuredContent(), d) == nil && rejected &&
				len(d.Spec.Template.Spec.Containers) > 0 && d.Spec.Template.Spec.Containers[0].Image == image {
				return errors.New(`admission webhook "policy.example.com" denied the request`)
			}
			return c.Apply(ctx, object, options...)
		},
	})
	b.Applier = apply.New(c, events.NewFakeRecorder(1000))
	return func() { rejected = false }
}

// fail reports why a component gets no new pods, while earlier ones serve or none does.
func (b *bench) fail(name string, serving int32, condition appsv1.DeploymentCondition) {
	b.Helper()
	d := b.deployment(name)
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, AvailableReplicas: serving, Conditions: []appsv1.DeploymentCondition{condition},
	}
	if err := b.Client.Status().Update(b.Context(), d); err != nil {
		b.Fatal(err)
	}
}

// TestNewImagesWaitForTheControlPlane has a new operator with new images of two components. Their pods and configurations stay the same until
// the control plane is upgraded.
func TestNewImagesWaitForTheControlPlane(t *testing.T) {
	b := newBench(t)
	b.install()
	b.rollout = "version v2 of the control plane"
	b.first.image, b.second.image, b.second.config = "first:2", "second:2", "b"
	for range 2 {
		requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady,
			"first: its upgrade waits for version v2 of the control plane", "second: its upgrade waits for version v2 of the control plane")
		b.requireRuns("first", "first:1", "a")
		b.requireRuns("second", "second:1", "a")
	}
	for _, c := range b.mesh.Status.Components {
		if c.Reason != v1alpha1.ReasonUpgradePending || len(c.Objects) != 3 {
			t.Errorf("%s has the reason %s and the objects %v, want %s and three", c.Name, c.Reason, c.Objects, v1alpha1.ReasonUpgradePending)
		}
	}

	b.rollout = ""
	b.pass()
	b.requireRuns("first", "first:2", "a")
	b.requireRuns("second", "second:2", "b")
	b.rollOut("first", true)
	b.rollOut("second", true)
	requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "all components are ready")
	for _, c := range b.mesh.Status.Components {
		if c.Message != "" {
			t.Errorf("%s has the message %q after its upgrade", c.Name, c.Message)
		}
	}
}

// TestSettingsWaitForNoRollout changes a configuration during a rollout, but no image.
func TestSettingsWaitForNoRollout(t *testing.T) {
	b := newBench(t)
	b.install()
	b.first.config, b.rollout = "b", "version v2"
	b.pass()
	b.requireRuns("first", "first:1", "b")
}

// TestBrokenInstallationIsCorrected has a first version that never runs. Nothing serves, so a correction waits for nothing.
func TestBrokenInstallationIsCorrected(t *testing.T) {
	b := newBench(t)
	b.pass()
	b.rollOut("first", false)
	requireCondition(t, b.pass(), metav1.ConditionFalse, v1alpha1.ReasonComponentFailed, "first: the Deployment osm-system/first has no ready pod")
	b.first.image, b.rollout = "first:2", "version v2"
	b.pass()
	b.requireRuns("first", "first:2", "a")
}

// TestBrokenUpgradeIsReported has a new image that does not start, in Deployments whose earlier pods serve or had to stop. The condition has the
// place, the cause and the remedy. The other component is upgraded.
func TestBrokenUpgradeIsReported(t *testing.T) {
	deadline := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: `ReplicaSet "first-2" has timed out progressing.`}
	quota := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods=10"}
	for name, test := range map[string]struct {
		serving   int32
		condition appsv1.DeploymentCondition
		want      []string
	}{
		"earlier pods serve":          {1, deadline, []string{"first: the Deployment osm-system/first cannot start new pods, and the earlier ones serve", "has timed out progressing", "correct the image"}},
		"a quota admits no new pods":  {1, quota, []string{"cannot start new pods, and the earlier ones serve: exceeded quota: pods=10"}},
		"the earlier pod had to stop": {0, deadline, []string{"first: the Deployment osm-system/first has no ready pod", "has timed out progressing", "correct the image"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.install()
			b.first.image, b.second.image = "first:broken", "second:2"
			b.pass()
			b.fail("first", test.serving, test.condition)
			b.rollOut("second", true)
			condition := b.pass()
			requireCondition(t, condition, metav1.ConditionFalse, v1alpha1.ReasonComponentFailed, test.want...)
			if strings.Contains(condition.Message, "second") {
				t.Errorf("the message is %q, want nothing about the other component", condition.Message)
			}
			b.requireRuns("second", "second:2", "a")

			b.first.image = "first:3"
			b.pass()
			b.rollOut("first", true)
			requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "all components are ready")
		})
	}
}

// TestRejectedComponentIsReported has a policy engine that rejects a new image. The condition has its answer, the other component is upgraded,
// and the image is applied as soon as the policy engine admits it.
func TestRejectedComponentIsReported(t *testing.T) {
	b := newBench(t)
	b.install()
	admit := b.reject("first:2")
	b.first.image, b.second.image = "first:2", "second:2"
	requireCondition(t, b.pass(), metav1.ConditionFalse, v1alpha1.ReasonComponentFailed, "first: ", `admission webhook "policy.example.com" denied`)
	b.requireRuns("first", "first:1", "a")
	b.requireRuns("second", "second:2", "a")
	b.rollOut("second", true)
	admit()
	b.pass()
	b.requireRuns("first", "first:2", "a")
	b.rollOut("first", true)
	requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "all components are ready")
}

// TestRecordsOfEarlierOperatorsAreDeleted has a ConfigMap with the last good objects of a component, which v0.3.0 lists among its objects.
func TestRecordsOfEarlierOperatorsAreDeleted(t *testing.T) {
	b := newBench(t)
	b.install()
	key := client.ObjectKey{Namespace: "osm-system", Name: "osm-first-last-good"}
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: operand.Labels(b.mesh.Name, "")}}
	if err := b.Client.Create(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	first := &b.mesh.Status.Components[0]
	first.Objects = append(first.Objects, v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: key.Namespace, Name: key.Name})
	b.pass()
	if exists(t, b.Reconciler, "v1", "ConfigMap", key) {
		t.Error("the record remains")
	}
	b.pass()
	if objects := b.mesh.Status.Components[0].Objects; len(objects) != 3 {
		t.Errorf("the inventory is %v, want three objects", objects)
	}
}

// TestIgnoredDriftIsKept has a Deployment that the operator must not change.
func TestIgnoredDriftIsKept(t *testing.T) {
	b := newBench(t)
	b.install()
	d := b.deployment("first")
	metav1.SetMetaDataAnnotation(&d.ObjectMeta, "operator.openservicemesh.io/drift", "ignore")
	if err := b.Client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.first.image = "first:2"
	requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady)
	b.requireRuns("first", "first:1", "a")
}

// TestDescribeRollout lists when the control plane runs the desired version.
func TestDescribeRollout(t *testing.T) {
	now := ptr.To(metav1.Now())
	revision := func(version string, role v1alpha1.Role, verified *metav1.Time) v1alpha1.MeshRevision {
		return v1alpha1.MeshRevision{
			ObjectMeta: metav1.ObjectMeta{Name: "osm-" + strings.ReplaceAll(version, ".", "-")},
			Spec:       v1alpha1.MeshRevisionSpec{Version: version, Role: role}, Status: v1alpha1.MeshRevisionStatus{VerificationTime: verified},
		}
	}
	upgrading := []metav1.Condition{{Type: v1alpha1.ConditionUpgrading, Status: metav1.ConditionTrue}}
	for name, test := range map[string]struct {
		revisions  []v1alpha1.MeshRevision
		conditions []metav1.Condition
		done       bool
	}{
		"the desired version runs":            {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleActive, now)}, nil, true},
		"the earlier one is kept":             {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleActive, now), revision("v0.1.0", v1alpha1.RoleStandby, now)}, nil, true},
		"the earlier version runs":            {[]v1alpha1.MeshRevision{revision("v0.1.0", v1alpha1.RoleActive, now)}, nil, false},
		"the rollout has not begun":           {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleStandby, nil), revision("v0.1.0", v1alpha1.RoleActive, now)}, nil, false},
		"the desired version is not verified": {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleActive, nil)}, nil, false},
		"a canary runs":                       {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleActive, now), revision("v0.3.0", v1alpha1.RoleCanary, nil)}, nil, false},
		"workloads are restarted":             {[]v1alpha1.MeshRevision{revision("v0.2.0", v1alpha1.RoleActive, now)}, upgrading, false},
		"nothing is installed":                {nil, nil, false},
	} {
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Status: v1alpha1.MeshStatus{Conditions: test.conditions}}
		pending := describeRollout(mesh, test.revisions, "osm-v0-2-0", "v0.2.0")
		if test.done != (pending == "") || !test.done && !strings.Contains(pending, "version v0.2.0 of the control plane") {
			t.Errorf("%s: %q, want nothing: %t", name, pending, test.done)
		}
	}
}
