package cli

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// TestExplainHintsAtUndeclaredPorts asks about a Service whose targetPort no container declares: a policy allows the call, and nothing may listen.
func TestExplainHintsAtUndeclaredPorts(t *testing.T) {
	const objects = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: till, namespace: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80, targetPort: 8081}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: web, ports: [{containerPort: DECLARED}]}], initContainers: [{name: envoy, restartPolicy: Always}]}, status: {podIPs: [{ip: 10.1.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: till-0, namespace: shop, labels: {app: till}}, spec: {serviceAccountName: till, initContainers: [{name: envoy, restartPolicy: Always}]}, status: {podIPs: [{ip: 10.1.0.2}]}}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, namespace: shop}, spec: {matches: [{name: all, pathRegex: "/.*", methods: ["*"]}]}}
---
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: in, namespace: shop}, spec: {destination: {kind: ServiceAccount, name: web, namespace: shop}, sources: [{kind: ServiceAccount, name: till, namespace: shop}], rules: [{kind: HTTPRouteGroup, name: paths}]}}
`
	for declared, want := range map[string]string{"8080": "hint: Port 80 has the targetPort 8081, and no container of its pods declares it", "8081": ""} {
		decoded, err := manifests.Decode([]byte(strings.ReplaceAll(objects, "DECLARED", declared)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := meshOfObjects("osm", decoded)
		if err != nil {
			t.Fatal(err)
		}
		question, err := explain.ParseQuestion([]string{"shop/till-0", "to", "shop/web", "GET", "/a"}, nil, "shop")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := explain.Evaluate(t.Context(), m, question)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if !answer.Allowed || !strings.Contains(text.String(), want) || want == "" && strings.Contains(text.String(), "hint") {
			t.Errorf("port %s: want %q in:\n%s", declared, want, &text)
		}
	}
}
