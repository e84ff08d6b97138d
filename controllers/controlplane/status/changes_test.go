package status

import (
	"context"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// watched records the objects that a mirror reports as changed, "<kind> <namespace>/<name>".
func watched(mesh *mirror.Mirror) *[]string {
	var list []string
	for _, source := range slices.Concat(kinds.Policies(), kinds.GatewayAPI("osm")) {
		mesh.Watch(source.Kind, func(_ context.Context, name entity.Name) {
			list = append(list, string(source.Kind)+" "+name.String())
		})
	}
	return &list
}

func inNamespace(namespace string, object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetNamespace(namespace)
	return object
}

// TestChangesCauseEvaluations checks which policies are evaluated again after a change: those whose conditions it can affect.
func TestChangesCauseEvaluations(t *testing.T) {
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	service := func(namespace, name string) client.Object {
		return &corev1.Service{ObjectMeta: meta(namespace, name), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 81}}}}
	}
	namespace := func(name, mesh string) client.Object {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: mesh}}}
	}
	on := &configv1alpha2.MeshConfig{ObjectMeta: meta(meshNamespace, names.MeshConfig)}
	on.Spec.FeatureFlags.EnableEgressPolicy = true
	through := egress("through", 1, "http")
	through.Object["spec"].(map[string]any)["gateway"] = map[string]any{}
	exported := object(kinds.Telemetry, "logs", 1, map[string]any{"accessLog": map[string]any{"openTelemetry": map[string]any{"extensionService": map[string]any{"name": "collector"}}}})
	far := retry("far", "retry", 1, "api")
	if err := unstructured.SetNestedField(far.Object, "far", "spec", "source", "namespace"); err != nil {
		t.Fatal(err)
	}
	policies := []*unstructured.Unstructured{
		target(rule("HTTPRouteGroup", "paths")), split("split", 1), retry("shop", "retry", 1, "api"), setting("setting", 1, "web.shop.svc.cluster.local"),
		ingressBackend("ingress", 1, 8080), through, exported,
		far, object(kinds.HTTPRouteGroup, "alone", 1, map[string]any{}),
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: meshNamespace, Name: "g", Labels: map[string]string{discoveryv1.LabelServiceName: names.EgressGateway},
	}, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}}}
	for name, test := range map[string]struct {
		changed client.Object
		want    string
	}{
		"a destination":                   {account("shop", "web"), "TrafficTarget shop/target"},
		"a source":                        {account("shop", "client"), "Egress shop/through, Retry shop/retry, TrafficTarget shop/target"},
		"an account of another namespace": {account("other", "web"), ""},
		"a route group":                   {object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{"matches": []any{map[string]any{"name": "all"}}}), "TrafficTarget shop/target"},
		"a route group without a user":    {object(kinds.HTTPRouteGroup, "others", 1, map[string]any{"matches": []any{map[string]any{"name": "all"}}}), ""},
		"an older split":                  {split("older", 0), "TrafficSplit shop/split, TrafficTarget shop/target"},
		"an older setting":                {setting("older", 0, "web.shop.svc.cluster.local"), "UpstreamTrafficSetting shop/setting"},
		"an older Telemetry":              {telemetry("older", 0, map[string]any{"format": "%RESPONSE_CODE%"}), "Telemetry shop/logs"},
		"the client Service of ingress":   {service("ingress", "nginx"), "IngressBackend shop/ingress"},
		"another Service elsewhere":       {service("ingress", "other"), ""},
		"the Service of a retry":          {service("shop", "api"), "Retry far/retry, Retry shop/retry, TrafficTarget shop/target"},
		"a server":                        {object(kinds.ExtensionService, "collector", 1, map[string]any{"host": "otel.example.com", "port": int64(4317), "protocol": "h2c"}), "Telemetry shop/logs"},
		"a server elsewhere":              {inNamespace("far", object(kinds.ExtensionService, "collector", 1, map[string]any{"host": "otel.example.com", "port": int64(4317), "protocol": "h2c"})), ""},
		"the egress gateway":              {service(meshNamespace, names.EgressGateway), "Egress shop/through"},
		"the readiness of the gateway":    {slice, "Egress shop/through"},
		"the MeshConfig":                  {on, "Egress shop/through, IngressBackend shop/ingress, Retry far/retry, Retry shop/retry, Telemetry shop/logs"},
		"a namespace that leaves":         {namespace("far", "other"), "Retry far/retry"},
		"a namespace without policies":    {namespace("none", "osm"), ""},
		"a route of the root":             {httpRoute("r", backend("new"), "web"), "TrafficSplit shop/split"},
		"a route of another Service":      {httpRoute("r", backend("new"), "cart"), ""},
	} {
		var all []client.Object
		for _, policy := range policies {
			all = append(all, policy)
		}
		mesh := meshOf(t, append(append(all, servicesNamed("web")...), &corev1.Service{ObjectMeta: meta(meshNamespace, names.EgressGateway)})...)
		for _, policy := range policies {
			evaluatorOf(mesh).evaluate(t.Context(), policy)
		}
		changed := watched(mesh)
		changeMesh(t, mesh, test.changed)
		slices.Sort(*changed)
		if got := strings.Join(*changed, ", "); got != test.want {
			t.Errorf("%s: evaluated again: %s; want %s", name, got, test.want)
		}
	}
}

// TestPoliciesOfNewMembersAreEvaluated lets a namespace join the mesh after its policies were found outside.
func TestPoliciesOfNewMembersAreEvaluated(t *testing.T) {
	outside := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"a": "b"}}}
	policy := target(rule("HTTPRouteGroup", "paths"))
	mesh := meshOf(t, outside, policy)
	if concerned, err := isConcerned(t.Context(), nil, mesh, policy); concerned || err != nil {
		t.Fatalf("a policy outside: %v %v", concerned, err)
	}
	changed := watched(mesh)
	joined := outside.DeepCopy()
	joined.Labels[names.MonitoredByLabel] = "osm"
	changeMesh(t, mesh, joined)
	if !slices.Equal(*changed, []string{"TrafficTarget shop/target"}) {
		t.Errorf("evaluated again: %v", *changed)
	}
}

// TestRoutesConcernedByAChange checks which routes are evaluated again after a change.
func TestRoutesConcernedByAChange(t *testing.T) {
	far := httpRoute("far", map[string]any{"name": "books", "namespace": "bank", "port": int64(80)}, "web")
	service := func(namespace, name string) client.Object {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 81}}}}
	}
	grant := inNamespace("bank", object(kinds.ReferenceGrant, "grant", 1, map[string]any{
		"from": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "shop"}}, "to": []any{map[string]any{"group": "", "kind": "Service"}},
	}))
	outside := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"a": "b"}}}
	for name, test := range map[string]struct {
		changed client.Object
		want    string
	}{
		"a parent":                {service("shop", "web"), "far web"},
		"a backend":               {service("shop", "new"), "web"},
		"a Service elsewhere":     {service("bank", "new"), ""},
		"a backend elsewhere":     {service("bank", "books"), "far"},
		"a grant":                 {grant, "far"},
		"their namespace":         {outside, "cart far web"},
		"a namespace that is not": {&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "none"}}, ""},
	} {
		routes := []client.Object{httpRoute("web", backend("new"), "web"), httpRoute("cart", backend("cart"), "cart"), far}
		mesh := meshOf(t, append(append(routes, servicesNamed("web", "new", "cart")...), service("bank", "other"))...)
		changeMesh(t, mesh, grantedBefore(name, grant)...)
		for _, route := range routes {
			entry, _ := routeSources("osm")[0].Ingest(route)
			mesh.Read(entry.Ref(), func(v *catalog.View) {
				v.IsMember("shop")
				gateway.ServiceParents(v, entry.(*catalog.HTTPRoute))
			})
		}
		changed := watched(mesh)
		changeMesh(t, mesh, test.changed)
		var got []string
		for _, ref := range *changed {
			got = append(got, strings.TrimPrefix(ref, "HTTPRoute shop/"))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// grantedBefore returns a grant, unless it is what changes. Without it, nothing is read of a backend elsewhere.
func grantedBefore(name string, grant *unstructured.Unstructured) []client.Object {
	if name == "a grant" {
		return nil
	}
	return []client.Object{grant}
}
