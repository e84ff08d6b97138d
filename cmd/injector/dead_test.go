package main

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// TestADeadInjectorHoldsUpItsMeshAlone registers the webhook while no injector runs: the namespaces that a cluster and a mesh need to
// come up again are never asked about, even when somebody has put them into the mesh.
func TestADeadInjectorHoldsUpItsMeshAlone(t *testing.T) {
	h := startHarness(t)
	h.turnOn(t)
	labels := map[string]string{names.MonitoredByLabel: h.options.mesh}
	for _, name := range []string{"kube-system", "kube-public", h.options.namespace, names.OperatorNamespace} {
		h.labelled(t, name, labels)
	}
	h.labelled(t, "outside", nil)
	h.labelled(t, "of-another-mesh", map[string]string{names.MonitoredByLabel: "other"})
	h.labelled(t, "left-out", map[string]string{names.MonitoredByLabel: h.options.mesh, names.IgnoreLabel: "true"})
	for _, namespace := range []string{"kube-system", "kube-public", h.options.namespace, names.OperatorNamespace, "outside", "of-another-mesh", "left-out"} {
		h.create(t, newPod(namespace, "app"))
	}
	h.member(t, "inside")
	err := h.Create(context.Background(), newPod("inside", "app"))
	if err == nil || !strings.Contains(err.Error(), `failed calling webhook "osm-inject.k8s.io"`) {
		t.Errorf("a pod of the mesh gets the answer %v, want one that names the webhook", err)
	}
	// Everything but pods goes on in a namespace of the mesh.
	h.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "inside", Name: "settings"}})
	if err := h.Delete(context.Background(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "inside", Name: "settings"}}); err != nil {
		t.Error(err)
	}
}

// labelled makes sure that a namespace exists and has labels.
func (h *harness) labelled(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	err := h.Create(context.Background(), ns)
	if apierrors.IsAlreadyExists(err) {
		live := &corev1.Namespace{}
		if err = h.Get(context.Background(), client.ObjectKey{Name: name}, live); err == nil {
			before := live.DeepCopy()
			if live.Labels == nil {
				live.Labels = map[string]string{}
			}
			for key, value := range labels {
				live.Labels[key] = value
			}
			err = h.Patch(context.Background(), live, client.MergeFrom(before))
		}
	}
	if err != nil {
		t.Fatalf("namespace %s: %v", name, err)
	}
}
