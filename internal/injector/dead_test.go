package injector

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestWebhook_UnavailableInjectorBlocksMemberPodsOnly registers the webhook without a running injector. The namespaces
// that a cluster and a mesh need to recover are never sent to the webhook, even if they are labelled as members.
func TestWebhook_UnavailableInjectorBlocksMemberPodsOnly(t *testing.T) {
	h := startHarness(t)
	h.registerWebhook(t)
	labels := map[string]string{names.MonitoredByLabel: h.config.Mesh}
	for _, name := range []string{"kube-system", "kube-public", h.config.Namespace, names.OperatorNamespace} {
		h.ensureNamespace(t, name, labels)
	}
	h.ensureNamespace(t, "outside", nil)
	h.ensureNamespace(t, "of-another-mesh", map[string]string{names.MonitoredByLabel: "other"})
	h.ensureNamespace(t, "ignored", map[string]string{names.MonitoredByLabel: h.config.Mesh, names.IgnoreLabel: "true"})
	for _, namespace := range []string{"kube-system", "kube-public", h.config.Namespace, names.OperatorNamespace, "outside", "of-another-mesh", "ignored"} {
		h.create(t, newPod(namespace, "app"))
	}
	h.createMember(t, "inside")
	err := h.Create(context.Background(), newPod("inside", "app"))
	if err == nil || !strings.Contains(err.Error(), `failed calling webhook "osm-inject.k8s.io"`) {
		t.Errorf("creating a pod of the mesh returned %v, want an error that names the webhook", err)
	}
	// Other objects can still be created in a namespace of the mesh.
	h.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "inside", Name: "settings"}})
	if err := h.Delete(context.Background(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "inside", Name: "settings"}}); err != nil {
		t.Error(err)
	}
}

// ensureNamespace ensures that a namespace exists and has labels.
func (h *harness) ensureNamespace(t *testing.T, name string, labels map[string]string) {
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
