package cli

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Pods are named as kubectl prints them, and a kind is no namespace.
func TestPodsAreNamedWithKinds(t *testing.T) {
	pod := func(name, workload string) *inventory.Instance {
		p := meshtest.Pod("shop", name, "web", "web", "10.0.0.1")
		p.Workload = inventory.Workload{Kind: "Deployment", Name: workload}
		return p
	}
	mesh := meshtest.Apply(pod("web-b", "web"), pod("web-a", "web"), pod("db-a", "db"))
	for text, want := range map[string]string{
		"web-b": "shop/web-b", "pod/web-b": "shop/web-b", "pods/web-b": "shop/web-b", "shop/web-b": "shop/web-b", "other/pod/web-b": "other/web-b",
		"deploy/web": "shop/web-a", "shop/deployment/db": "shop/db-a", "sa/web": "shop/db-a",
	} {
		got, err := podIn(mesh, "shop", text)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"deploy/none": "no running pod of deployment none found in namespace shop", "svc/web": "svc/web is a Service"} {
		if _, err := podIn(mesh, "shop", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// The namespace of the control plane has the gateways, which are served like sidecars.
func TestNamespaceOfGatewaysIsServed(t *testing.T) {
	m := mesh{Name: "osm", Namespace: "osm-system", Members: []string{"shop"}}
	for namespace, served := range map[string]bool{"": true, "shop": true, "osm-system": true, "other": false} {
		if err := m.checkMember(namespace); (err == nil) != served {
			t.Errorf("namespace %q: %v, want served %t", namespace, err, served)
		}
	}
}
