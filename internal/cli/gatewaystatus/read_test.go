package gatewaystatus_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

const (
	on    = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}, spec: {ingressGateway: {mode: Managed}}}`
	off   = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}}`
	web   = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: web, namespace: shop, generation: 2}, spec: {gatewayClassName: osm}`
	other = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: web, namespace: shop}, spec: {gatewayClassName: istio}}`
)

// route is a route of a kind with a parent, and a status of the mesh.
func route(kind, namespace, parent, conditions string) string {
	status := ""
	if conditions != "" {
		status = `, status: {parents: [{parentRef: ` + parent + `, controllerName: gateway.openservicemesh.io/osm, conditions: [` + conditions + `]}]}`
	}
	return `{apiVersion: gateway.networking.k8s.io/v1, kind: ` + kind + `, metadata: {name: r, namespace: ` + namespace + `, generation: 1}, spec: {parentRefs: [` + parent + `]}` + status + `}`
}

func condition(kind, status, reason string) string {
	return `{type: ` + kind + `, status: "` + status + `", reason: ` + reason + `, message: explained, observedGeneration: 1}`
}

// TestRead has what the control plane wrote, and what no condition says.
func TestRead(t *testing.T) {
	const ofGateway, ofService = `{name: web}`, `{group: "", kind: Service, name: web}`
	accepted := condition("Accepted", "True", "Accepted")
	tests := map[string]struct {
		objects []string
		want    string
	}{
		"a Gateway": {[]string{on, web + `, status: {conditions: [{type: Programmed, status: "True", reason: Programmed, message: m, observedGeneration: 2}]}}`}, "Gateway known"},
		"a listener": {[]string{on, web + `, status: {conditions: [{type: Programmed, status: "True", reason: Programmed, message: m, observedGeneration: 2}],
  listeners: [{name: tls, conditions: [{type: ResolvedRefs, status: "False", reason: RefNotPermitted, message: explained, observedGeneration: 2}]}]}}`}, "Gateway known listener tls: RefNotPermitted: explained"},
		"a Gateway of an earlier generation": {[]string{on, web + `, status: {conditions: [{type: Programmed, status: "True", reason: Programmed, message: m, observedGeneration: 1}]}}`}, "Gateway unknown"},
		"the ingress gateway is off":         {[]string{off, web + "}"}, "Gateway known nothing serves this Gateway, because spec.ingressGateway.mode of Mesh osm is not Managed: set it, or delete the Gateway"},
		"a Gateway of another class":         {[]string{on, other}, ""},
		"without a Mesh object":              {[]string{web + "}"}, "Gateway unknown"},
		"a route without its Gateway":        {[]string{on, route("HTTPRoute", "shop", ofGateway, "")}, "HTTPRoute known Gateway web not found in namespace shop: create it, or correct spec.parentRefs"},
		"the same outside the mesh":          {[]string{on, route("HTTPRoute", "else", ofGateway, "")}, ""},
		"a route of another Gateway":         {[]string{on, other, route("HTTPRoute", "shop", ofGateway, "")}, ""},
		"a route of a Gateway that is off":   {[]string{off, web + "}", route("HTTPRoute", "shop", ofGateway, "")}, "Gateway known nothing serves this Gateway, because spec.ingressGateway.mode of Mesh osm is not Managed: set it, or delete the Gateway\nHTTPRoute known nothing serves Gateway shop/web, because spec.ingressGateway.mode of Mesh osm is not Managed"},
		"a Service that is not evaluated":    {[]string{on, route("HTTPRoute", "shop", ofService, "")}, "HTTPRoute unknown"},
		"a BackendTLSPolicy": {[]string{on, `{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: r, namespace: shop, generation: 1},
  status: {ancestors: [{ancestorRef: {name: web}, controllerName: gateway.openservicemesh.io/osm, conditions: [` + condition("Accepted", "False", "Invalid") + `]}]}}`}, "BackendTLSPolicy known Invalid: explained"},
		"a BackendTLSPolicy that nothing uses": {[]string{on, `{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: r, namespace: shop}}`}, "BackendTLSPolicy known"},
	}
	for _, kind := range []string{"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"} {
		tests["a "+kind+" in force"] = struct {
			objects []string
			want    string
		}{[]string{on, route(kind, "shop", ofService, accepted)}, kind + " known"}
		tests["a "+kind+" with a wrong backend"] = struct {
			objects []string
			want    string
		}{[]string{on, route(kind, "shop", ofService, accepted+","+condition("ResolvedRefs", "False", "BackendNotFound"))}, kind + " known BackendNotFound: explained"}
	}
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := manifests.Decode([]byte(strings.Join(test.objects, "\n---\n")))
			if err != nil {
				t.Fatal(err)
			}
			builder := fake.NewClientBuilder().WithScheme(scheme)
			for _, object := range objects {
				builder.WithObjects(object)
			}
			found, errs := gatewaystatus.Read(t.Context(), builder.Build(), "osm", []string{"shop"})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			var lines []string
			for _, object := range found {
				known := map[bool]string{true: " known", false: " unknown"}[object.IsKnown]
				lines = append(lines, strings.TrimSpace(object.GetKind()+known+" "+strings.Join(object.Problems, "; ")))
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("the objects are %q, want %q", got, test.want)
			}
		})
	}
}
