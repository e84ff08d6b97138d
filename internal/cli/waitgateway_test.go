package cli

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// Gateways and HTTPRoutes are waited for by their conditions.
func TestWaitForGatewayAPI(t *testing.T) {
	const route = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x, namespace: shop}, spec: {}, status: {parents: [{controllerName: a/b, parentRef: {name: g}, conditions: [CONDITIONS]}]}}`
	const gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: x, namespace: shop}, spec: {gatewayClassName: CLASS}, status: {conditions: [CONDITIONS], listeners: [{name: a, conditions: [{type: Accepted, status: "True", reason: A, message: ""}, {type: ResolvedRefs, status: "False", reason: RefNotPermitted, message: the Secret cannot be read}]}]}}`
	const serviceRoute = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x, namespace: shop}, spec: {parentRefs: [{group: "", kind: Service, name: web}]}, status: {parents: [CONDITIONS]}}`
	for name, test := range map[string]struct {
		kind, object, conditions string
		done                     bool
		pending, err             string
	}{
		"route in force": {"HTTPRoute", route, `{type: Accepted, status: "True", reason: A, message: ""}, {type: ResolvedRefs, status: "True", reason: A, message: ""}`, true, "", ""},
		"bad backend":    {"HTTPRoute", route, `{type: Accepted, status: "True", reason: A, message: ""}, {type: ResolvedRefs, status: "False", reason: BackendNotFound, message: no Service}`, false, "ResolvedRefs is False (BackendNotFound): no Service", ""},
		"not evaluated":  {"HTTPRoute", route, ``, false, "has not written the conditions", ""},
		"a listener":     {"Gateway", strings.Replace(gateway, "CLASS", "osm", 1), `{type: Programmed, status: "False", reason: Invalid, message: see listeners}`, false, "Listener a: ResolvedRefs is False (RefNotPermitted): the Secret cannot be read", ""},
		"another class":  {"Gateway", strings.Replace(gateway, "CLASS", "osmm", 1), ``, false, "", "has the class osmm, which is not that of the ingress gateway of mesh osm"},
		"without entry":  {"HTTPRoute", serviceRoute, "", false, "has not written the conditions", ""},
		"for a Service": {
			"HTTPRoute", serviceRoute, `{parentRef: {group: "", kind: Service, name: web, namespace: shop}, controllerName: a/b, conditions: [{type: Accepted, status: "True", reason: A, message: ""}, {type: ResolvedRefs, status: "True", reason: A, message: ""}]}`,
			true, "2 of 2 sidecars have acknowledged it", "",
		},
		"a TCPRoute": {
			"TCPRoute.gateway.networking.k8s.io", strings.Replace(serviceRoute, "HTTPRoute", "TCPRoute", 1), `{parentRef: {group: "", kind: Service, name: web, namespace: shop}, controllerName: a/b, conditions: [{type: Accepted, status: "False", reason: Conflicted, message: an older one}]}`,
			false, "Accepted is False (Conflicted): an older one", "",
		},
		"outside the mesh":    {"GRPCRoute", strings.NewReplacer("HTTPRoute", "GRPCRoute", "namespace: shop", "namespace: other").Replace(serviceRoute), "", false, "", "namespace other is not part of mesh osm"},
		"without its Gateway": {"HTTPRoute", `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x, namespace: shop}, spec: {parentRefs: [{name: web}]}}`, "", false, "Gateway web not found in namespace shop: create it", ""},
		"no ingress gateway": {
			"Gateway", "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: x, namespace: shop}, spec: {gatewayClassName: osm}}\n---\n{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}}", "", false,
			"spec.ingressGateway.mode of Mesh osm is not Managed", "",
		},
		"no such object": {"Gateway", "", "", false, "", "Gateway shop/x not found"},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []*unstructured.Unstructured
			if test.object != "" {
				var err error
				if objects, err = manifests.Decode([]byte(strings.Replace(test.object, "CONDITIONS", test.conditions, 1))); err != nil {
					t.Fatal(err)
				}
			}
			scheme, err := kube.Scheme()
			if err != nil {
				t.Fatal(err)
			}
			builder := fake.NewClientBuilder().WithScheme(scheme)
			for _, object := range objects {
				builder.WithObjects(object)
			}
			namespace := "shop"
			if len(objects) > 0 {
				namespace = objects[0].GetNamespace()
			}
			reports := acknowledgedBy(2)
			reports.Generation = 0
			w := &gatewayWait{policyRef: policyRef{test.kind, namespace, "x"}, mesh: mesh{Name: "osm", Members: []string{"shop"}}, reader: builder.Build(), reports: reports}
			done, err := w.poll(t.Context())
			if done != test.done || !strings.Contains(w.pending(), test.pending) || !strings.Contains(errorText(err), test.err) || test.err == "" && err != nil {
				t.Errorf("done is %t, pending %q, error %v", done, w.pending(), err)
			}
		})
	}
}
