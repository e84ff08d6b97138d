package gateway

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestAddressesWithoutGateway checks that a Gateway loses its addresses with the Service of the ingress gateway, and that this is written once.
func TestAddressesWithoutGateway(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	if status, _ := f.statusOfGateway(t); len(status.Addresses) != 1 {
		t.Fatalf("addresses %v, want that of the Service", status.Addresses)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.IngressGateway}}
	if err := f.Client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t)
	if status, _ := f.statusOfGateway(t); len(status.Addresses) > 0 {
		t.Errorf("addresses %v remain after the Service has gone", status.Addresses)
	}
	written := f.writes
	f.reconcile(t)
	if f.writes != written {
		t.Errorf("%d writes without a change", f.writes-written)
	}
}
