package operator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rolloutDefinition defines the kind Rollout of Argo Rollouts, without its schema.
func rolloutDefinition() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "rollouts.argoproj.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "argoproj.io", Scope: apiextensionsv1.NamespaceScoped, Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "Rollout", Plural: "rollouts"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1alpha1", Served: true, Storage: true,
				Schema:       &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)}},
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
			}},
		},
	}
}

// argoShop is a namespace of a mesh with a Rollout and its pod.
type argoShop struct {
	mesh *v1alpha1.Mesh
	web  *unstructured.Unstructured
	pod  *corev1.Pod
}

// newArgoShop creates a mesh of the older version, and a namespace of it with a Rollout in a phase.
func newArgoShop(t *testing.T, name, phase string) argoShop {
	t.Helper()
	shop := name + "-shop"
	s := argoShop{mesh: readyMesh(t, name, fastUpgrades)}
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}})
	s.web = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": map[string]any{"namespace": shop, "name": "web"},
		"spec": map[string]any{"replicas": int64(1), "template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}}},
	}}
	create(t, s.web)
	s.inPhase(t, phase)
	s.pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: shop, Name: "web-5c-a", Labels: map[string]string{"rollouts-pod-template-hash": "5c", names.RevisionLabel: name + "-v0-0-9", names.ProxyUUIDLabel: "1"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ReplicaSet", Name: "web-5c", UID: "1", Controller: ptr.To(true)}},
		},
		Spec: injectedSpec(),
	}
	create(t, s.pod)
	s.readyPod(t)
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = name })
	return s
}

// inPhase writes the status that Argo Rollouts writes.
func (s argoShop) inPhase(t *testing.T, phase string) {
	t.Helper()
	restart, restarted, _ := unstructured.NestedString(s.web.Object, "spec", "restartAt")
	status := map[string]any{"phase": phase, "observedGeneration": fmt.Sprint(s.web.GetGeneration())}
	if restarted {
		status["restartedAt"] = restart
	}
	s.web.Object["status"] = status
	if err := cluster.client.Status().Update(t.Context(), s.web); err != nil {
		t.Fatal(err)
	}
}

func (s argoShop) readyPod(t *testing.T) {
	t.Helper()
	s.pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}}
	if err := cluster.client.Status().Update(t.Context(), s.pod); err != nil {
		t.Fatal(err)
	}
}

// waitRestarted waits until the Rollout is restarted for a revision, and checks that its pod template is the same.
func (s argoShop) waitRestarted(t *testing.T, revision string) {
	t.Helper()
	waitFor(t, s.web, func(r *unstructured.Unstructured) error {
		text, _, _ := unstructured.NestedString(r.Object, "spec", "restartAt")
		at, err := time.Parse(time.RFC3339, text)
		if recorded := r.GetAnnotations()[names.RestartAnnotation]; err == nil && !strings.HasPrefix(recorded, revision+" "+at.Format(time.RFC3339)) {
			err = errors.New("the recorded restart is " + recorded)
		}
		return err
	})
	if annotations, found, _ := unstructured.NestedMap(s.web.Object, "spec", "template", "metadata", "annotations"); found {
		t.Errorf("the pod template has got annotations: %v", annotations)
	}
}

// An upgrade restarts a Rollout without a new pod template, which would begin a canary of the application.
func TestUpgradeRestartsRollouts(t *testing.T) {
	t.Parallel()
	s := newArgoShop(t, "argo", "Healthy")
	change(t, s.mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.waitRestarted(t, "argo-v0-1-0")
	change(t, s.pod, func(p *corev1.Pod) { p.Labels[names.RevisionLabel] = "argo-v0-1-0" })
	s.readyPod(t)
	s.inPhase(t, "Healthy")
	waitHistory(t, s.mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
}

// An upgrade does not wait for a Rollout that is paused. The Rollout is restarted when it is healthy again, though no pod changes then.
func TestUpgradeDoesNotWaitForPausedRollouts(t *testing.T) {
	t.Parallel()
	s := newArgoShop(t, "argo-paused", "Paused")
	change(t, s.mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, s.mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitFor(t, s.mesh, func(m *v1alpha1.Mesh) error {
		for _, c := range m.Status.Conditions {
			if strings.Contains(c.Message, "Rollout.argoproj.io argo-paused-shop/web (its phase is Paused") {
				return nil
			}
		}
		return fmt.Errorf("no condition names the Rollout: %+v", m.Status.Conditions)
	})
	s.inPhase(t, "Healthy")
	s.waitRestarted(t, "argo-paused-v0-1-0")
}
