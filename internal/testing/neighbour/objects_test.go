package neighbour

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// mesh is what the test does not change: a shop behind the gateway, and the workloads of the hostile namespace, evil.
const mesh = `
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {traffic: {enableEgress: false}, featureFlags: {enableEgressPolicy: true, enableRetryPolicy: true, enableIngressBackendPolicy: true}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: evil, labels: {openservicemesh.io/monitored-by: osm}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: osm}, spec: {controllerName: gateway.openservicemesh.io/osm}}
---
{apiVersion: v1, kind: Service, metadata: {name: osm-ingress-gateway, namespace: osm-system}, spec: {clusterIP: 10.200.0.1, clusterIPs: [10.200.0.1], ports: [{name: http, port: 80, targetPort: 10080}, {name: other, port: 81, targetPort: 10081}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.200.0.2, clusterIPs: [10.200.0.2], selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: shared, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {gatewayClassName: osm, listeners: [{name: http, port: 80, protocol: HTTP, hostname: shop.example, allowedRoutes: {namespaces: {from: Same}}}, {name: tenants, port: 80, protocol: HTTP, hostname: "*.evil.example", allowedRoutes: {namespaces: {from: All}}}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {parentRefs: [{name: shared}], hostnames: [shop.example], rules: [{backendRefs: [{name: web, port: 80}]}]}}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: all, namespace: shop}, spec: {matches: [{name: all, pathRegex: ".*", methods: ["*"]}]}}
---
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: web, namespace: shop}, spec: {destination: {kind: ServiceAccount, name: web, namespace: shop}, sources: [{kind: ServiceAccount, name: client, namespace: shop}, {kind: ServiceAccount, name: osm-ingress-gateway, namespace: osm-system}], rules: [{kind: HTTPRouteGroup, name: all}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: vice, namespace: evil}, spec: {clusterIP: 10.200.0.3, clusterIPs: [10.200.0.3], selector: {app: evil}, ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}, {name: tls, port: 443, targetPort: 8443, appProtocol: https}, {name: tcp, port: 90, targetPort: 9090, appProtocol: tcp}]}}
`

// hostile are valid objects of the namespace evil, of each kind that a tenant can write. All reach the gateway, the sidecars of clients elsewhere, or its own.
const hostile = `
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: vice}, spec: {destination: {kind: ServiceAccount, name: evil, namespace: evil}, sources: [{kind: ServiceAccount, name: client, namespace: shop}, {kind: ServiceAccount, name: osm-ingress-gateway, namespace: osm-system}, {kind: ServiceAccount, name: evil, namespace: evil}], rules: [{kind: HTTPRouteGroup, name: some, matches: [some]}, {kind: TCPRoute, name: some}]}}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: some}, spec: {matches: [{name: some, pathRegex: "/some/[a-z]+", methods: [GET, POST], headers: [{x-some: "a.*"}]}]}}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: TCPRoute, metadata: {name: some}, spec: {matches: {ports: [9090, 8443]}}}
---
{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: vice}, spec: {service: vice, matches: [{kind: HTTPRouteGroup, name: some}], backends: [{service: vice, weight: 1}, {service: other, weight: 3}]}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: vice}, spec: {host: vice.evil.svc.cluster.local, connectionSettings: {tcp: {maxConnections: 100, connectTimeout: 2s, idleTimeout: 10s}, http: {maxPendingRequests: 100, maxRequests: 1000, maxRetries: 3, maxRequestsPerConnection: 7, requestTimeout: 15s}}, rateLimit: {local: {http: {requests: 100, unit: second, burst: 50, responseStatusCode: 429, responseHeadersToAdd: [{name: x, value: y}]}, tcp: {connections: 10, unit: minute}}}, httpRoutes: [{path: "/some/[a-z]+", rateLimit: {local: {requests: 10, unit: second, responseStatusCode: 503, responseHeadersToAdd: [{name: retry-after, value: "1"}]}}}], outlierDetection: {consecutiveErrors: 5, baseEjectionTime: 30s, maxEjectionPercent: 50, interval: 5s}, healthCheck: {interval: 5s, timeout: 1s, http: {path: /healthz}}}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Retry, metadata: {name: evil}, spec: {source: {kind: ServiceAccount, name: evil, namespace: evil}, destinations: [{kind: Service, name: web, namespace: shop}, {kind: Service, name: vice, namespace: evil}], retryPolicy: {retryOn: "5xx,reset", perTryTimeout: 1s, numRetries: 3, retryBackoffBaseInterval: 25ms}}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: evil}, spec: {sources: [{kind: ServiceAccount, name: evil, namespace: evil}], hosts: [api.example.com], ports: [{number: 80, protocol: http}, {number: 443, protocol: https}], matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: some}]}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: gated}, spec: {sources: [{kind: ServiceAccount, name: evil, namespace: evil}], hosts: [gated.example.com], ports: [{number: 80, protocol: http}, {number: 443, protocol: https}], matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: some}], gateway: {}}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: IngressBackend, metadata: {name: vice}, spec: {backends: [{name: vice, port: {number: 8080, protocol: http}}], sources: [{kind: IPRange, name: 10.0.0.0/8}, {kind: Service, namespace: shop, name: web}]}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: ExternalAuthorization, metadata: {name: evil}, spec: {selector: {app: evil}, extensionService: {namespace: evil, name: server}, timeout: 250ms, failureModeAllow: true}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: ExtensionService, metadata: {name: server}, spec: {host: server.evil.example, port: 9191, protocol: h2c}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Telemetry, metadata: {name: evil}, spec: {selector: {app: evil}, accessLog: {filter: "response.code >= 400", format: "%PROTOCOL% %REQ(X)%", openTelemetry: {extensionService: {namespace: evil, name: server}, attributes: {some: "%RESPONSE_CODE%"}}}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: evil}, spec: {parentRefs: [{name: shared, namespace: shop}, {name: own}], hostnames: [a.evil.example, "*.evil.example"], rules: [{matches: [{path: {type: PathPrefix, value: /some}, headers: [{type: RegularExpression, name: x-some, value: "a.*"}], queryParams: [{name: q, value: v}], method: GET}], filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: y}], add: [{name: z, value: y}], remove: [w]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x, value: y}]}}, {type: URLRewrite, urlRewrite: {hostname: vice.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /other}}}], timeouts: {request: 5s, backendRequest: 2s}, retry: {codes: [503], attempts: 2, backoff: 100ms}, backendRefs: [{name: vice, port: 80, weight: 3}]}, {matches: [{path: {type: Exact, value: /gone}}], filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: other.example, port: 8443, statusCode: 302, path: {type: ReplaceFullPath, replaceFullPath: /here}}}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: inside}, spec: {parentRefs: [{group: "", kind: Service, name: vice}], rules: [{matches: [{path: {type: RegularExpression, value: "/some/.*"}}], filters: [{type: RequestMirror, requestMirror: {backendRef: {name: vice, port: 80}, percent: 10}}], sessionPersistence: {sessionName: s, type: Cookie, absoluteTimeout: 1h}, backendRefs: [{name: vice, port: 80, weight: 3}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: evil}, spec: {parentRefs: [{name: shared, namespace: shop}], hostnames: [grpc.evil.example], rules: [{matches: [{method: {type: Exact, service: a.B, method: C}, headers: [{name: x, value: y}]}], backendRefs: [{name: vice, port: 80}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: evil}, spec: {parentRefs: [{group: "", kind: Service, name: vice, port: 443}], hostnames: [tls.evil.example], rules: [{backendRefs: [{name: vice, port: 443}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: TCPRoute, metadata: {name: evil}, spec: {parentRefs: [{group: "", kind: Service, name: vice, port: 90}], rules: [{backendRefs: [{name: vice, port: 90, weight: 5}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: own}, spec: {gatewayClassName: osm, listeners: [{name: http, port: 80, protocol: HTTP, hostname: own.evil.example}, {name: other, port: 81, protocol: HTTP, hostname: "*.evil.example", allowedRoutes: {namespaces: {from: Same}}}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: evil}, spec: {targetRefs: [{group: policy.openservicemesh.io, kind: Egress, name: evil}], validation: {hostname: api.example.com, wellKnownCACertificates: System}}}
---
{apiVersion: v1, kind: Service, metadata: {name: other}, spec: {clusterIP: 10.200.0.4, clusterIPs: [10.200.0.4], selector: {app: evil}, ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}]}}
`

func decode(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// drawInvalid returns one of the hostile objects with some invalid values, and describes these.
func drawInvalid(random *rand.Rand, valid []*unstructured.Unstructured) (object *unstructured.Unstructured, description string) {
	object = valid[random.IntN(len(valid))].DeepCopy()
	object.SetNamespace("evil")
	var edits []string
	for range 1 + random.IntN(2) {
		fields := fieldsOf(object.Object["spec"], "spec")
		f := fields[random.IntN(len(fields))]
		value := invalidValue(random, f.value)
		f.set(value)
		edits = append(edits, fmt.Sprintf("%s = %.80q", f.path, fmt.Sprint(value)))
	}
	return object, object.GetKind() + " " + object.GetName() + ": " + strings.Join(edits, ", ")
}

// field is a value in an object.
type field struct {
	path  string
	value any
	set   func(any)
}

// fieldsOf returns all fields below a value.
func fieldsOf(value any, path string) []field {
	var list []field
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := v[key]
			list = append(list, field{path + "." + key, child, func(changed any) { v[key] = changed }})
			list = append(list, fieldsOf(child, path+"."+key)...)
		}
	case []any:
		for i, child := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			list = append(list, field{at, child, func(changed any) { v[i] = changed }})
			list = append(list, fieldsOf(child, at)...)
		}
	}
	return list
}

// texts are values that some field of Envoy rejects.
var texts = []string{
	"", "*", "a\nb", "\x00", "\r\n", "(", "[z-a]", "%", "%2", "%UNKNOWN%", "%REQ(", "{", "}}", "é", "a b", "a,b", ":authority", "host", "x-envoy-max-retries", "..", "/..//", "?", "#", "a?b#c",
	"-1s", "0s", "1ns", "999999999h", "1.5e300s", "300.300.300.300", "::", "0.0.0.0/0", "10.0.0.0/99", "*.*", "*.", ".", "a..b", "-a", strings.Repeat("a", 64), strings.Repeat("a.", 200), strings.Repeat("x", 20000),
	"\\", "\\C", "a{1,1000}{1,1000}", "\x7f", "\u2028", "localhost", "shop.example", "web.shop.svc.cluster.local", "UNKNOWN", "ReplacePrefixMatch", "RegularExpression",
}

var numbers = []int64{-1, 0, 1, 99, 599, 600, 15001, 65535, 65536, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1 << 32, 1<<63 - 1, -1 << 63}

// invalidValue returns a value of the type of another one, which is usually invalid in its place.
func invalidValue(random *rand.Rand, of any) any {
	switch v := of.(type) {
	case string:
		text := texts[random.IntN(len(texts))]
		switch random.IntN(4) {
		case 0:
			return v + text
		case 1:
			return text + v
		}
		return text
	case int64:
		return numbers[random.IntN(len(numbers))]
	case float64:
		return float64(numbers[random.IntN(len(numbers))])
	case bool:
		return !v
	case []any:
		switch random.IntN(3) {
		case 0:
			return []any{}
		case 1:
			return append(append([]any{}, v...), v...)
		}
		many := []any{}
		for range 300 {
			many = append(many, v...)
		}
		return many
	case map[string]any:
		if random.IntN(2) == 0 {
			return map[string]any{}
		}
		return map[string]any{texts[random.IntN(len(texts))]: "x"}
	}
	return nil
}
