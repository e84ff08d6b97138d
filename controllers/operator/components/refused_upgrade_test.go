package components

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component/upgrade"
)

// watch reconciles once a minute for some time, and returns the last condition.
func (b *bench) watch(duration time.Duration) (last metav1.Condition) {
	b.Helper()
	for end := b.clock.Add(duration); b.clock.Before(end); {
		b.clock = b.clock.Add(time.Minute)
		last = b.pass()
	}
	return last
}

// refuse makes the API server refuse Deployments with an image until the returned function is called.
func (b *bench) refuse(image string) (admit func()) {
	b.Helper()
	inner, ok := b.Client.(client.WithWatch)
	if !ok {
		b.Fatal("the client has no watch")
	}
	refused := true
	c := interceptor.NewClient(inner, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			content, _ := object.(interface{ UnstructuredContent() map[string]any })
			d := &appsv1.Deployment{}
			if content != nil && runtime.DefaultUnstructuredConverter.FromUnstructured(content.UnstructuredContent(), d) == nil && refused &&
				len(d.Spec.Template.Spec.Containers) > 0 && d.Spec.Template.Spec.Containers[0].Image == image {
				return errors.New(`admission webhook "policy.example.com" denied the request`)
			}
			return c.Apply(ctx, object, options...)
		},
	})
	b.Applier = apply.New(c, events.NewFakeRecorder(1000))
	return func() { refused = false }
}

// TestRefusedComponentIsNotHeldBack has a policy engine that refuses a new version for half an hour. The condition has its answer, the other
// component is upgraded, and the version is applied as soon as the policy engine admits it.
func TestRefusedComponentIsNotHeldBack(t *testing.T) {
	b := newBench(t)
	b.install()
	admit := b.refuse("first:2")
	b.observed.operator = "v2"
	b.first.image, b.second.image = "first:2", "second:2"
	b.watch(2 * time.Minute)
	b.requireRuns("second", "second:2", "a")
	b.rollOut("second", true)
	requireCondition(t, b.watch(30*time.Minute), metav1.ConditionFalse, v1alpha1.ReasonComponentFailed, "first: ", `admission webhook "policy.example.com" denied`)
	b.requireRuns("first", "first:1", "a")
	admit()
	b.pass()
	b.requireRuns("first", "first:2", "a")
	b.rollOut("first", true)
	requireCondition(t, b.watch(2*time.Minute), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "all components are ready")
}

// TestInterruptedUpgradeHasTime has an API server, and thus an operator, that is away for an hour after a new version was applied. Its pods get the
// whole time to become ready, once.
func TestInterruptedUpgradeHasTime(t *testing.T) {
	b := newBench(t)
	b.install()
	b.observed.operator = "v2"
	b.first.image = "first:2"
	b.pass()
	b.rollOut("first", false)
	b.clock = b.clock.Add(time.Hour)
	b.Reconciler = &Reconciler{Client: b.Client, Objects: b.Objects, Applier: b.Applier, Kinds: b.Kinds, Now: b.Now, Components: b.Components}
	b.pass()
	b.requireRuns("first", "first:2", "a")
	b.watch(upgrade.Deadline)
	b.requireRuns("first", "first:2", "a")
	b.watch(time.Minute)
	b.requireRuns("first", "first:1", "a")
}

// TestQuotaIsTheReason has a quota that admits no new pod, while those of the former version run. The condition has its answer.
func TestQuotaIsTheReason(t *testing.T) {
	b := newBench(t)
	b.install()
	b.observed.operator = "v2"
	b.first.image = "first:2"
	b.pass()
	d := b.deployment("first")
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods=10"}},
	}
	if err := b.Client.Status().Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	requireCondition(t, b.pass(), metav1.ConditionTrue, v1alpha1.ReasonComponentsReady, "exceeded quota: pods=10")
	b.watch(upgrade.Deadline + time.Minute)
	b.rollOut("first", true)
	requireCondition(t, b.pass(), metav1.ConditionFalse, v1alpha1.ReasonComponentHeldBack, "not ready 10m0s after the change: exceeded quota: pods=10")
}
