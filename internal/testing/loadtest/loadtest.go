package loadtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

const objects = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web}}, spec: {serviceAccountName: web}}
---
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: in, namespace: shop},
 spec: {destination: {kind: ServiceAccount, name: web, namespace: shop},
 sources: [{kind: Group, name: x}], rules: [{kind: HTTPRouteGroup, name: all}]}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system},
 spec: {traffic: {enablePermissiveTrafficPolicyMode: true}}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: elsewhere},
 spec: {traffic: {enableEgress: true}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: shop}}
`

// Scheme has the Go types of the objects.
func Scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme, operatorv1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Parse returns the objects of a small mesh, a MeshConfig of another namespace, and an object that is not part of a mesh, in this order.
func Parse(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for text := range strings.SplitSeq(objects, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// Check checks what was loaded from the objects of the small mesh.
func Check(t *testing.T, loaded *load.Loaded) {
	t.Helper()
	view := loaded.Catalog.View()
	got := view.ServiceIdentities(entity.Name{Namespace: "shop", Name: "web"})
	if diff := cmp.Diff([]identity.ServiceAccount{{Namespace: "shop", Name: "web"}}, got); diff != "" {
		t.Errorf("identities behind shop/web (-want +got):\n%s", diff)
	}
	if view.Settings().Egress {
		t.Error("egress is true: the MeshConfig of another namespace was used")
	}
	if len(loaded.Findings) == 0 || loaded.Findings[0].Kind != entity.KindTrafficTarget || loaded.Findings[0].Name.String() != "shop/in" {
		t.Errorf("findings are %v: the source of kind Group should be one, of TrafficTarget shop/in", loaded.Findings)
	}
}
