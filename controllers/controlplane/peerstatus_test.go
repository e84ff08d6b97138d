package controlplane

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// createPeers creates a MeshPeer that cannot be reached, and a ServiceExport and a ServiceImport of Services that do not exist.
func createPeers(t *testing.T, c client.Client) {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}},
		&operatorv1alpha1.MeshPeer{
			ObjectMeta: metav1.ObjectMeta{Name: "east"},
			Spec: operatorv1alpha1.MeshPeerSpec{
				Mesh: "osm", TrustDomain: "east.example", Trust: operatorv1alpha1.PeerTrust{CABundle: operatorv1alpha1.CABundle(root.CertPEM())},
				Gateways: []operatorv1alpha1.PeerGatewayAddress{{Address: "192.0.2.1"}},
			},
		},
	}
	for _, kind := range []schema.GroupVersionKind{kinds.ServiceExport, kinds.ServiceImport} {
		object := kinds.Object(kind)
		object.SetNamespace("shop")
		object.SetName("cart")
		object.SetLabels(map[string]string{names.PeerLabel: "east"})
		if kind == kinds.ServiceImport {
			object.Object["spec"] = map[string]any{"type": "ClusterSetIP", "ports": []any{}}
		}
		objects = append(objects, object)
	}
	for _, object := range objects {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// reasonOf returns the reason of a condition of an object; empty without it.
func reasonOf(ctx context.Context, c client.Client, kind schema.GroupVersionKind, key client.ObjectKey, condition string) (string, error) {
	object := kinds.Object(kind)
	if err := c.Get(ctx, key, object); err != nil {
		return "", err
	}
	conditions, err := kinds.ConditionsOf(object)
	for _, found := range conditions {
		if found.Type == condition {
			return found.Reason, err
		}
	}
	return "", errors.Join(err, fmt.Errorf("%s has no condition %s", key.Name, condition))
}

// checkPeerStatus checks that a real API server accepts what the controllers of peers write, while a control plane runs.
func checkPeerStatus(t *testing.T) {
	t.Helper()
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := newManager(restConfig, "osm-system")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(restConfig, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		t.Fatal(err)
	}
	createPeers(t, c)
	inShop := client.ObjectKey{Namespace: "shop", Name: "cart"}
	for _, want := range []struct {
		kind              schema.GroupVersionKind
		key               client.ObjectKey
		condition, reason string
	}{
		{kinds.MeshPeer, client.ObjectKey{Name: "east"}, operatorv1alpha1.PeerAccepted, "Accepted"},
		{kinds.MeshPeer, client.ObjectKey{Name: "east"}, operatorv1alpha1.PeerTrustReady, "Trusted"},
		{kinds.MeshPeer, client.ObjectKey{Name: "east"}, operatorv1alpha1.PeerConnected, "Unreachable"},
		{kinds.ServiceExport, inShop, "Valid", "NoService"},
		{kinds.ServiceImport, inShop, "Ready", "ServiceMissing"},
		{kinds.ServiceImport, inShop, "Stale", "NotConnected"},
	} {
		eventually.Succeeds(t, 2*time.Minute, "the status is written", func() error {
			reason, err := reasonOf(t.Context(), c, want.kind, want.key, want.condition)
			if err == nil && reason != want.reason {
				err = fmt.Errorf("%s of %s is %s, want %s", want.condition, want.kind.Kind, reason, want.reason)
			}
			return err
		})
	}
	checkReleasedConsents(t, c, inShop)
}

// checkReleasedConsents removes the label of consents: the conditions of the mesh go, and that of another controller stays.
func checkReleasedConsents(t *testing.T, c client.Client, key client.ObjectKey) {
	t.Helper()
	for _, kind := range []schema.GroupVersionKind{kinds.ServiceExport, kinds.ServiceImport} {
		object := kinds.Object(kind)
		patch := func(writer client.SubResourceWriter, edit func() error) error {
			if err := c.Get(t.Context(), key, object); err != nil {
				return err
			}
			before := object.DeepCopy()
			if err := edit(); err != nil {
				return err
			}
			if writer == nil {
				return c.Patch(t.Context(), object, client.MergeFrom(before))
			}
			return writer.Patch(t.Context(), object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner("other"))
		}
		eventually.Succeeds(t, time.Minute, "another controller writes a condition", func() error {
			return patch(c.Status(), func() error {
				conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
				of := map[string]any{"type": "Conflict", "status": "False", "reason": "NoConflict", "message": "none", "lastTransitionTime": "2026-12-01T00:00:00Z"}
				return unstructured.SetNestedSlice(object.Object, append(conditions, of), "status", "conditions")
			})
		})
		eventually.Succeeds(t, time.Minute, "the label is removed", func() error {
			return patch(nil, func() error { object.SetLabels(nil); return nil })
		})
		eventually.Succeeds(t, time.Minute, "the conditions of the mesh are removed", func() error {
			if err := c.Get(t.Context(), key, object); err != nil {
				return err
			}
			found, err := kinds.ConditionsOf(object)
			if err == nil && (len(found) != 1 || found[0].Type != "Conflict") {
				err = fmt.Errorf("%s has the conditions %+v", kind.Kind, found)
			}
			return err
		})
	}
}
