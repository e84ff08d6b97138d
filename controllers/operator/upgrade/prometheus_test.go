package upgrade

import (
	"testing"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Gates query the server of the mesh, unless they have one of their own. Only their own must answer.
func TestGateServer(t *testing.T) {
	of := func(component *v1alpha1.PrometheusComponent, own *v1alpha1.PrometheusSpec) *v1alpha1.Mesh {
		return &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{
			Observability: &v1alpha1.ObservabilitySpec{Prometheus: component},
			Upgrade:       &v1alpha1.UpgradeSpec{Gates: &v1alpha1.GatesSpec{Prometheus: own}},
		}}
	}
	managed := &v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusManaged)}
	existing := &v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusExisting), Address: ptr.To("https://p"), CABundle: ptr.To(v1alpha1.CABundle("ca"))}
	for name, test := range map[string]struct {
		mesh     *v1alpha1.Mesh
		address  string
		ca       string
		optional bool
	}{
		"none":                   {&v1alpha1.Mesh{}, "", "", false},
		"switched off":           {of(&v1alpha1.PrometheusComponent{}, nil), "", "", false},
		"managed":                {of(managed, nil), "http://osm-prometheus.osm-system.svc:7070", "", true},
		"existing":               {of(existing, nil), "https://p", "ca", true},
		"managed, and their own": {of(managed, &v1alpha1.PrometheusSpec{Address: "http://own"}), "http://own", "", false},
	} {
		server, optional := gateServer(test.mesh)
		address, ca := "", ""
		if server != nil {
			address, ca = server.Address, string(ptr.Deref(server.CABundle, ""))
		}
		if address != test.address || ca != test.ca || optional != test.optional {
			t.Errorf("%s: %q, %q, optional %v; want %q, %q, %v", name, address, ca, optional, test.address, test.ca, test.optional)
		}
	}
}
