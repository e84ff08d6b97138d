package crd_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// osmPolicy returns an object of an OSM policy kind in YAML. The spec is in flow style.
func osmPolicy(kind, spec string) string {
	return "{apiVersion: policy.openservicemesh.io/v1alpha1, kind: " + kind + ", metadata: {name: x, namespace: in-mesh}, spec: " + spec + "}"
}

func testTrafficPolicies(t *testing.T, c client.Client) {
	const unit = " is not a duration: write a number with a unit"
	retry := func(policy string) string {
		return osmPolicy("Retry", "{source: {kind: ServiceAccount, name: a, namespace: in-mesh}, destinations: [{kind: Service, name: b, namespace: in-mesh}], retryPolicy: {"+policy+"}}")
	}
	setting := func(fields string) string {
		return osmPolicy("UpstreamTrafficSetting", "{host: b.in-mesh.svc.cluster.local, "+fields+"}")
	}
	egress := func(port, fields string) string {
		return osmPolicy("Egress", "{sources: [{kind: ServiceAccount, name: a, namespace: in-mesh}], hosts: [a.example.com], ports: [{number: 80, "+port+"}], "+fields+"}")
	}
	http := func(fields string) string { return setting("rateLimit: {local: {http: {" + fields + "}}}") }
	cases := []creation{
		{"retry with every field", retry("retryOn: '5xx,reset', perTryTimeout: 1s, numRetries: 5, retryBackoffBaseInterval: 25ms"), ""},
		{"retry without a condition", retry("perTryTimeout: 1s, numRetries: 5, retryBackoffBaseInterval: 25ms"), "spec.retryPolicy.retryOn: Required value"},
		{"retry without a number", retry("retryOn: 5xx, perTryTimeout: 1s, retryBackoffBaseInterval: 25ms"), "spec.retryPolicy.numRetries: Required value"},
		{"retry without a timeout", retry("retryOn: 5xx, numRetries: 5, retryBackoffBaseInterval: 25ms"), "spec.retryPolicy.perTryTimeout: Required value"},
		{"retry without a pause", retry("retryOn: 5xx, perTryTimeout: 1s, numRetries: 5"), "spec.retryPolicy.retryBackoffBaseInterval: Required value"},
		{"retry with a bad timeout", retry("retryOn: 5xx, perTryTimeout: soon, numRetries: 5, retryBackoffBaseInterval: 25ms"), `spec.retryPolicy.perTryTimeout "soon"` + unit},
		{"retry less than never", retry("retryOn: 5xx, perTryTimeout: 1s, numRetries: -1, retryBackoffBaseInterval: 25ms"), "should be greater than or equal to 0"},
		{"retry without a source", osmPolicy("Retry", "{destinations: []}"), "spec.source: Required value"},

		{"egress through the gateway", egress("protocol: http", "gateway: {tls: {port: 8443, secretName: a}}"), ""},
		{"egress through the gateway as it is", egress("protocol: https", "gateway: {}"), ""},
		{"tcp through the gateway", egress("protocol: tcp", "gateway: {}"), "which the egress gateway does not forward: use http and https"},
		{"ranges through the gateway", egress("protocol: https", "ipAddresses: [10.0.0.0/8], gateway: {}"), "spec.ipAddresses has no effect with spec.gateway"},
		{"encryption without a Secret", egress("protocol: http", "gateway: {tls: {}}"), "spec.gateway.tls.secretName: Required value"},
		{"encryption on no port", egress("protocol: http", "gateway: {tls: {port: 0, secretName: a}}"), "should be greater than or equal to 1"},

		{"setting with a host", setting(""), ""},
		{"setting without a host", osmPolicy("UpstreamTrafficSetting", "{}"), "spec.host: Required value"},
		{"setting with every limit", setting("connectionSettings: {tcp: {maxConnections: 0, connectTimeout: 5s, idleTimeout: 1h}, http: {maxRequests: 4294967295, maxRequestsPerConnection: 1, maxPendingRequests: 1, maxRetries: 1, requestTimeout: 15s, idleTimeout: 1h}}"), ""},
		{"setting beyond counting", setting("connectionSettings: {tcp: {maxConnections: 4294967296}}"), "should be less than or equal to 4294967295"},
		{"setting with a bad timeout", setting("connectionSettings: {http: {requestTimeout: -1s}}"), `spec.connectionSettings.http.requestTimeout "-1s"` + unit},
		{"setting about failing endpoints", setting("outlierDetection: {consecutiveErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 100}, healthCheck: {interval: 10s, timeout: 1s, unhealthyThreshold: 3, healthyThreshold: 1}"), ""},
		{"more than all endpoints", setting("outlierDetection: {maxEjectionPercent: 101}"), "should be less than or equal to 100"},
		{"limit of connections", setting("rateLimit: {local: {tcp: {connections: 1, unit: hour, burst: 5}}}"), ""},
		{"limit of no connections", setting("rateLimit: {local: {tcp: {connections: 0, unit: hour}}}"), "should be greater than or equal to 1"},
		{"limit of requests", http("requests: 1, unit: second, burst: 1, responseStatusCode: 429, responseHeadersToAdd: [{name: a, value: b}]"), ""},
		{"limit without a unit", http("requests: 1"), "spec.rateLimit.local.http.unit: Required value"},
		{"limit with an unknown unit", http("requests: 1, unit: day"), `Unsupported value: "day"`},
		{"limit answered as success", http("requests: 1, unit: second, responseStatusCode: 200"), "should be greater than or equal to 400"},
		{"limits over all pods", setting("rateLimit: {global: {tcp: {rateLimitService: {host: a.b, port: 8081}, domain: d, descriptors: [{entries: [{key: a, value: b}]}]}}}, " +
			"httpRoutes: [{path: /a, rateLimit: {global: {descriptors: [{entries: [{genericKey: {value: a}}]}]}}}]"), ""},
		{"limit over all pods without a service", setting("rateLimit: {global: {tcp: {domain: d, descriptors: [{entries: [{key: a, value: b}]}]}}}"), "spec.rateLimit.global.tcp.rateLimitService: Required value"},
		{"limit over all pods without descriptors", setting("rateLimit: {global: {tcp: {rateLimitService: {host: a.b, port: 8081}, domain: d}}}"), "spec.rateLimit.global.tcp.descriptors: Required value"},
		{"a domain of a route", setting("httpRoutes: [{path: /a, rateLimit: {global: {domain: d}}}]"), `unknown field "spec.httpRoutes[0].rateLimit.global.domain"`},
		{"route without a path", setting("httpRoutes: [{path: '', rateLimit: {local: {requests: 1, unit: second}}}]"), "should be at least 1 chars long"},
		{"a typing error", setting("conectionSettings: {}"), `unknown field "spec.conectionSettings"`},

		{"backpressure", osmPolicy("Backpressure", "{maxConnections: 1, maxRequests: 2, maxPendingRequests: 3, maxRetries: 4, maxRequestsPerConnection: 5}"), ""},
		{"backpressure without limits", osmPolicy("Backpressure", "{}"), ""},
		{"backpressure below zero", osmPolicy("Backpressure", "{maxConnections: -1}"), "should be greater than or equal to 0"},

		{"UDP route", smi("specs.smi-spec.io/v1alpha4", "UDPRoute", "in-mesh", "{matches: {name: a, ports: [53]}}"), ""},
	}
	checkCreations(t, c, cases)
}

func remove(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	if err := c.Delete(t.Context(), object); err != nil {
		t.Error(err)
	}
}

// testOldMeshConfig checks that a write through v1alpha1 keeps all fields and returns a deprecation warning.
func testOldMeshConfig(t *testing.T, server *rest.Config, c client.Client) {
	stored := parse(t, completeMeshConfig)
	create(t, c, stored)
	defer remove(t, c, stored)
	warned := &warnings{}
	old := warningClient(t, server, warned)

	through := &unstructured.Unstructured{}
	through.SetAPIVersion("config.openservicemesh.io/v1alpha1")
	through.SetKind("MeshConfig")
	if err := old.Get(t.Context(), client.ObjectKeyFromObject(stored), through); err != nil {
		t.Fatal(err)
	}
	set(t, through, "spec.traffic.enableEgress", false)
	if err := old.Update(t.Context(), through); err != nil {
		t.Fatal(err)
	}
	now := stored.DeepCopy()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(stored), now); err != nil {
		t.Fatal(err)
	}
	want := stored.DeepCopy()
	set(t, want, "spec.traffic.enableEgress", false)
	if diff := cmp.Diff(want.Object["spec"], now.Object["spec"]); diff != "" {
		t.Errorf("spec after a write through v1alpha1 (-want +got):\n%s", diff)
	}
	if !warned.has("config.openservicemesh.io/v1alpha1 MeshConfig is deprecated: write apiVersion config.openservicemesh.io/v1alpha2") {
		t.Errorf("the warnings are %q", warned.texts)
	}
	pressure := parse(t, osmPolicy("Backpressure", "{maxConnections: 1}"))
	if err := old.Create(t.Context(), pressure, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if !warned.has("Backpressure is deprecated: write an UpstreamTrafficSetting") {
		t.Errorf("the warnings are %q", warned.texts)
	}
}

// warnings collects the warnings of the API server.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, fmt.Sprintf("%d %s", code, text))
}

func (w *warnings) has(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.texts, func(text string) bool {
		return strings.HasPrefix(text, fmt.Sprint(miscellaneous)) && strings.Contains(text, part)
	})
}

// miscellaneous is the code of warnings that persist (RFC 7234).
const miscellaneous = 299

func warningClient(t *testing.T, server *rest.Config, handler rest.WarningHandlerWithContext) client.Client {
	t.Helper()
	config := rest.CopyConfig(server)
	config.WarningHandlerWithContext = handler
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
