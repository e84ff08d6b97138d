package load_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/loadtest"
)

const gateways = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: osm-ingress-gateway, namespace: osm-system}, spec: {clusterIP: 10.0.0.1, ports: [{port: 443, targetPort: 10443}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: osm}, spec: {controllerName: gateway.openservicemesh.io/osm}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: web, namespace: shop}, spec: {gatewayClassName: osm, listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: one}]}}]}}
`

// gatewayObjects are the objects of gateways.
func gatewayObjects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for text := range strings.SplitSeq(gateways, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// TestPlanAssumesCertificates checks that listeners with TLS are served although Secrets are not read, and follow an edit.
func TestPlanAssumesCertificates(t *testing.T) {
	all := gatewayObjects(t)
	loaded, err := load.FromObjects("osm", loadtest.Scheme(t), all)
	if err != nil {
		t.Fatal(err)
	}
	certificates := func(l *load.Loaded) []string {
		var list []string
		for _, listener := range gateway.Resolve(l.Catalog.View()).Listeners {
			for _, c := range listener.Certificates {
				list = append(list, c.Name.String())
			}
		}
		return list
	}
	if got := certificates(loaded); !slices.Equal(got, []string{"shop/one"}) {
		t.Errorf("the listeners have the certificates %q, want shop/one", got)
	}
	edited := all[4].DeepCopy()
	listeners, _, _ := unstructured.NestedSlice(edited.Object, "spec", "listeners")
	listeners[0].(map[string]any)["tls"] = map[string]any{"certificateRefs": []any{map[string]any{"name": "two"}}}
	if err := unstructured.SetNestedSlice(edited.Object, listeners, "spec", "listeners"); err != nil {
		t.Fatal(err)
	}
	after := loaded.Clone()
	touched, err := after.Edit("osm", loadtest.Scheme(t), []*unstructured.Unstructured{edited}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := certificates(after); !slices.Equal(got, []string{"shop/two"}) || !slices.Contains(touched, entity.Dep{Kind: entity.DepGateways}) {
		t.Errorf("after the edit, the listeners have %q, and %v changed", got, touched)
	}
	if got := certificates(loaded); !slices.Equal(got, []string{"shop/one"}) {
		t.Errorf("the edit of the copy changed the original to %q", got)
	}
}

// TestPlanAssumesCredentials checks that an Egress is planned as if its Secret could be used, and that the entry goes with the Egress.
func TestPlanAssumesCredentials(t *testing.T) {
	const policy = `{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: api, namespace: shop}, spec: {
  sources: [{kind: ServiceAccount, name: till, namespace: shop}], hosts: [api.example.com], ports: [{number: 80, protocol: http}], gateway: {tls: {secretName: outside}}}}`
	var all []*unstructured.Unstructured
	for text := range strings.SplitSeq(gateways+"---\n"+policy, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	loaded, err := load.FromObjects("osm", loadtest.Scheme(t), all)
	if err != nil {
		t.Fatal(err)
	}
	name := entity.Name{Namespace: "shop", Name: "outside"}
	if got := loaded.Catalog.View().EgressCredential(name); got == nil || got.Problem != "" {
		t.Errorf("the Secret has the entry %+v, want a usable one", got)
	}
	if _, err := loaded.Edit("osm", loadtest.Scheme(t), nil, all[len(all)-1:]); err != nil {
		t.Fatal(err)
	}
	if got := loaded.Catalog.View().EgressCredential(name); got != nil {
		t.Errorf("without the Egress, the Secret has the entry %+v", got)
	}
}

// TestPlanAssumesAuthorities checks that a listener that demands certificates of clients is planned as if its ConfigMap could be used, and that the entry
// goes with the Gateway.
func TestPlanAssumesAuthorities(t *testing.T) {
	all := gatewayObjects(t)
	refs := []any{map[string]any{"group": "", "kind": "ConfigMap", "name": "clients"}}
	if err := unstructured.SetNestedSlice(all[4].Object, refs, "spec", "tls", "frontend", "default", "validation", "caCertificateRefs"); err != nil {
		t.Fatal(err)
	}
	loaded, err := load.FromObjects("osm", loadtest.Scheme(t), all)
	if err != nil {
		t.Fatal(err)
	}
	result := gateway.Resolve(loaded.Catalog.View())
	if len(result.Listeners) != 1 || len(result.Unread) > 0 || result.Listeners[0].Clients == nil || len(result.Listeners[0].Clients.AuthoritiesPEM) == 0 {
		t.Errorf("the Gateway has %+v, want a listener with authorities", result)
	}
	if _, err := loaded.Edit("osm", loadtest.Scheme(t), nil, all[4:]); err != nil {
		t.Fatal(err)
	}
	if got := loaded.Catalog.View().GatewayAuthorities(entity.Name{Namespace: "shop", Name: "clients"}); got != nil {
		t.Errorf("without the Gateway, the ConfigMap has the entry %+v", got)
	}
}
