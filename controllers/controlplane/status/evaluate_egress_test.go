package status

import (
	"context"
	"net"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

func egress(name string, created int64, protocol string, matches ...any) *unstructured.Unstructured {
	return object(kinds.Egress, name, created, map[string]any{
		"sources": []any{map[string]any{"kind": "ServiceAccount", "name": "client", "namespace": "shop"}},
		"hosts":   []any{"api.example.com"},
		"ports":   []any{map[string]any{"number": int64(80), "protocol": protocol}},
		"matches": matches,
	})
}

// lookup resolves one host.
func lookup(_ context.Context, host string) ([]string, error) {
	switch host {
	case "api.example.com":
		return []string{"192.0.2.1"}, nil
	case "slow.example.com":
		return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func TestEvaluateEgress(t *testing.T) {
	on := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-mesh-config"}}
	on.Spec.FeatureFlags.EnableEgressPolicy = true
	off := on.DeepCopy()
	off.Spec.FeatureFlags.EnableEgressPolicy = false
	all := []client.Object{on}
	to := func(hosts ...any) *unstructured.Unstructured {
		e := egress("b", 1, "http")
		e.Object["spec"].(map[string]any)["hosts"] = hosts
		return e
	}
	stranger := egress("b", 1, "http")
	stranger.Object["spec"].(map[string]any)["sources"] = []any{map[string]any{"kind": "ServiceAccount", "name": "nobody", "namespace": "shop"}}
	through := func(created int64, gateway map[string]any) *unstructured.Unstructured {
		e := egress("b", created, "http")
		e.Object["spec"].(map[string]any)["gateway"] = gateway
		return e
	}
	encrypted := func(secret string) *unstructured.Unstructured {
		return through(1, map[string]any{"tls": map[string]any{"secretName": secret}})
	}
	protected := through(1, map[string]any{})
	protected.Object["spec"].(map[string]any)["hosts"] = []any{"osm-prometheus.osm-system.svc.cluster.local"}
	requiring := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{names.EgressGatewayAnnotation: "enabled"}}}
	both := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}
	missing := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}
	conflicted := map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved}
	usable := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "usable"}, Data: map[string][]byte{"ca.crt": pki.New(t).RootPEM}}
	unusable := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "unusable"}}
	gateway := slices.Clip(append(append(all, gatewayObjects(true)...), usable, unusable))
	group := map[string]any{"kind": "HTTPRouteGroup", "name": "get"}
	setting := map[string]any{"kind": "UpstreamTrafficSetting", "name": "slow"}
	for _, test := range []evaluateCase{
		{"everything exists", egress("b", 1, "http"), all, both, "in force"},
		{"policies are off", egress("b", 1, "http"), []client.Object{off}, map[string]string{kinds.ConditionAccepted: "False Disabled", kinds.ConditionResolvedRefs: resolved}, "enableEgressPolicy"},
		{"nothing is allowed", object(kinds.Egress, "b", 1, map[string]any{}), all, map[string]string{kinds.ConditionAccepted: "False GrantsNothing"}, "spec.sources is empty"},
		{"no account", stranger, all, missing, "ServiceAccount shop/nobody of spec.sources does not exist"},
		{"no group", egress("b", 1, "http", group), all, missing, "HTTPRouteGroup shop/get does not exist"},
		{"no setting", egress("b", 1, "http", setting), all, missing, "UpstreamTrafficSetting shop/slow does not exist"},
		{"a host without an address", to("api.example.com", "none.example.com"), all, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False HostNotResolved"}, "The host none.example.com of spec.hosts has no address"},
		{"a query without an answer", to("slow.example.com"), all, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "True HostNotResolved"}, "cannot look up the host slow.example.com"},
		{"an address needs no query", to("192.0.2.7"), all, both, "in force"},
		{"an older one for servers that speak first", egress("b", 2, "http"), append(all, egress("a", 1, "tcp-server-first")), conflicted, "Egress shop/a is older and has port 80"},
		{"servers speak first, and an older one for http", egress("b", 2, "tcp-server-first"), append(all, egress("a", 1, "http")), map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved}, "excludes tcp-server-first"},
		{"a younger one excludes nothing", egress("a", 1, "http"), append(all, egress("b", 2, "tcp-server-first")), both, "in force"},
		{"through the gateway", through(1, map[string]any{}), gateway, both, "in force"},
		{"a part of the mesh through the gateway", protected, gateway, map[string]string{kinds.ConditionAccepted: "False RejectedAddress", kinds.ConditionResolvedRefs: "False HostNotResolved"}, "is or can be in the cluster"},
		{"no gateway", through(1, map[string]any{}), all, missing, "set spec.egressGateway.mode of the Mesh to Managed"},
		{"no pod of the gateway", through(1, map[string]any{}), append(all, gatewayObjects(false)...), missing, "No pod of the egress gateway is ready"},
		{"encrypted by the gateway", encrypted("usable"), gateway, both, "in force"},
		{"an unusable Secret", encrypted("unusable"), gateway, missing, "The Secret shop/unusable lacks ca.crt"},
		{"no Secret", encrypted("none"), gateway, missing, "The Secret shop/none does not exist"},
		{"another one decides about requests", egress("a", 1, "http"), append(gateway, through(2, map[string]any{})), conflicted, "through the egress gateway and decides alone"},
		{"the older of two with the gateway decides", through(2, map[string]any{}), append(gateway, named("a", through(1, map[string]any{}))), conflicted, "Egress shop/a sends requests to api.example.com on port 80"},
		{"the older of two with the gateway", through(1, map[string]any{}), append(gateway, named("a", through(2, map[string]any{}))), both, "in force"},
		{"the namespace requires the gateway", egress("b", 1, "http"), append(gateway, requiring), both, "in force"},
		{"the namespace requires a gateway that is not there", egress("b", 1, "http"), append(all, requiring), missing, "The mesh has no egress gateway"},
		{"the namespace requires the gateway for tcp", egress("b", 1, "tcp"), append(gateway, requiring), map[string]string{kinds.ConditionAccepted: "False Unsupported", kinds.ConditionResolvedRefs: resolved}, "The namespace shop requires the egress gateway"},
		{"another one through the required gateway", egress("b", 2, "http"), append(gateway, requiring, egress("a", 1, "http")), conflicted, "decides alone"},
		{"tcp excludes nothing", egress("b", 2, "http"), append(all, egress("a", 1, "tcp")), both, "in force"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// gatewayObjects are the Service of the egress gateway, and a pod behind it.
func gatewayObjects(ready bool) []client.Object {
	return []client.Object{
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.EgressGateway}},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "osm-system", Name: "g", Labels: map[string]string{discoveryv1.LabelServiceName: names.EgressGateway}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		},
	}
}

func named(name string, object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetName(name)
	return object
}

func TestEvaluateOutsideSetting(t *testing.T) {
	setting := func(spec map[string]any) *unstructured.Unstructured {
		spec["host"] = "api.example.com"
		return object(kinds.UpstreamTrafficSetting, "slow", 1, spec)
	}
	user := egress("b", 1, "http", map[string]any{"kind": "UpstreamTrafficSetting", "name": "slow"})
	limited := map[string]any{"healthCheck": map[string]any{}}
	for _, test := range []evaluateCase{
		{"an Egress names it", setting(map[string]any{}), []client.Object{user}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"no Egress names it", setting(map[string]any{}), []client.Object{egress("b", 1, "http")}, map[string]string{kinds.ConditionAccepted: "False NotUsed"}, "only where an Egress names it"},
		{"parts without effect", setting(limited), []client.Object{user}, map[string]string{kinds.ConditionAccepted: "True NotUsed", kinds.ConditionResolvedRefs: resolved}, "Rate limits and health checks have no effect"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
