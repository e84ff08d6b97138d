package gateway

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

const serviceEntry = `{controllerName: gateway.openservicemesh.io/osm, parentRef: {group: "", kind: Service, name: web}, conditions: []}`

// TestEntriesOfServicesRemain checks that Gateways and Services have different writers of their entries in the status of a route.
func TestEntriesOfServicesRemain(t *testing.T) {
	text := `{parentRefs: [{name: web}, {group: "", kind: Service, name: web}], rules: [{backendRefs: [{name: books, port: 80}]}]}`
	route := routeObject(t, "both", text, serviceEntry)
	onlyService := routeObject(t, "service", strings.Replace(text, "{name: web}, ", "", 1), serviceEntry)
	f := newFixture(t, secret(t), route, onlyService)
	f.reconcile(t)
	for name, want := range map[string]int{"both": 2, "service": 1} {
		var got gatewayv1.HTTPRoute
		f.get(t, kinds.HTTPRoute, name, &got)
		if parents := got.Status.Parents; len(parents) != want || *parents[0].ParentRef.Kind != "Service" {
			t.Errorf("%s has the entries %+v, want %d, the first for the Service", name, parents, want)
		}
	}
}

func TestRoutesThatConcernGateways(t *testing.T) {
	for name, test := range map[string]struct {
		parents, status string
		want            bool
	}{
		"a Gateway":           {`{name: web}`, "", true},
		"a Service":           {`{group: "", kind: Service, name: web}`, "", false},
		"both":                {`{group: "", kind: Service, name: web}, {name: web}`, "", true},
		"a Service of before": {`{group: "", kind: Service, name: web}`, serviceEntry, false},
		"a Gateway of before": {`{group: "", kind: Service, name: web}`, `{controllerName: x, parentRef: {group: gateway.networking.k8s.io, kind: Gateway, name: web}}`, true},
	} {
		if got := concernsGateways(routeObject(t, "r", "{parentRefs: ["+test.parents+"]}", test.status)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// routeObject is an HTTPRoute of the namespace shop.
func routeObject(t *testing.T, name, spec, entries string) *unstructured.Unstructured {
	t.Helper()
	object := kinds.Object(kinds.HTTPRoute)
	if err := yaml.Unmarshal([]byte("{spec: "+spec+", status: {parents: ["+entries+"]}}"), &object.Object); err != nil {
		t.Fatal(err)
	}
	object.SetGroupVersionKind(kinds.HTTPRoute)
	object.SetNamespace("shop")
	object.SetName(name)
	return object
}

// TestGRPCRoutesHaveStatus checks that GRPCRoutes get a status once the cluster defines them, and that nothing fails before.
func TestGRPCRoutesHaveStatus(t *testing.T) {
	route := kinds.Object(kinds.GRPCRoute)
	if err := yaml.Unmarshal([]byte("{spec: {parentRefs: [{name: web}], rules: [{backendRefs: [{name: books, port: 80}]}]}}"), &route.Object); err != nil {
		t.Fatal(err)
	}
	route.SetGroupVersionKind(kinds.GRPCRoute)
	route.SetNamespace("shop")
	route.SetName("calls")
	f := newFixture(t, secret(t), route)
	for _, defined := range []bool{false, true} {
		if defined {
			f.later.Store(kinds.GRPCRoute, true)
		}
		f.reconcile(t)
		var got gatewayv1.GRPCRoute
		f.get(t, kinds.GRPCRoute, "calls", &got)
		if (len(got.Status.Parents) == 1) != defined {
			t.Errorf("defined %t: the parents %+v", defined, got.Status.Parents)
		}
	}
	status, problems := f.statusOfGateway(t)
	if len(problems) > 0 || status.Listeners[0].AttachedRoutes != 2 || len(status.Listeners[0].SupportedKinds) != 2 {
		t.Errorf("the Gateway has %+v with the problems %q, want two routes and two kinds", status.Listeners[0], problems)
	}
}

// TestRoutesOfConnectionsHaveStatus checks that TLSRoutes and TCPRoutes get a status, here that no listener is for them.
func TestRoutesOfConnectionsHaveStatus(t *testing.T) {
	for _, kind := range []schema.GroupVersionKind{kinds.TLSRoute, kinds.GatewayTCPRoute} {
		route := kinds.Object(kind)
		if err := yaml.Unmarshal([]byte("{spec: {parentRefs: [{name: web}], rules: [{backendRefs: [{name: books, port: 80}]}]}}"), &route.Object); err != nil {
			t.Fatal(err)
		}
		route.SetGroupVersionKind(kind)
		route.SetNamespace("shop")
		route.SetName("calls")
		f := newFixture(t, secret(t), route)
		f.later.Store(kind, true)
		f.reconcile(t)
		var got gatewayv1.TLSRoute
		f.get(t, kind, "calls", &got)
		if len(got.Status.Parents) != 1 || !slices.ContainsFunc(got.Status.Parents[0].Conditions, func(c metav1.Condition) bool {
			return c.Type == string(gatewayv1.RouteConditionAccepted) && c.Reason == string(gatewayv1.RouteReasonNotAllowedByListeners)
		}) {
			t.Errorf("%s: the parents %+v", kind.Kind, got.Status.Parents)
		}
	}
}
