package servertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

const routes = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 80}]
  rules: [{backendRefs: [{name: books, namespace: bank, port: 80}]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: bank, labels: {openservicemesh.io/monitored-by: osm}}
---
apiVersion: v1
kind: Service
metadata: {name: books, namespace: bank}
spec: {ports: [{port: 80}]}`

const grant = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: shop, namespace: bank}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: "", kind: Service}]`

// TestStatusOfRoutesForServices runs without the other kinds of the Gateway API.
func TestStatusOfRoutesForServices(t *testing.T) {
	const split = "split.smi-spec.io/v1alpha4"
	w := start(t)
	w.create(t, mesh)
	w.create(t, "{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: split, namespace: shop}, spec: {service: web, backends: [{service: web, weight: 1}]}}")
	w.waitForCondition(t, split, "TrafficSplit", "split", "Accepted", "True Accepted", "in force")

	envtest.Install(t, w.config, gatewayDefinition(t, "httproutes"))
	w.create(t, routes)
	w.waitForParent(t, "Accepted", "Accepted")
	w.waitForParent(t, "ResolvedRefs", "RefNotPermitted")
	w.waitForCondition(t, split, "TrafficSplit", "split", "Accepted", "False Conflicted", "HTTPRoute shop/r routes all requests to Service shop/web")

	envtest.Install(t, w.config, gatewayDefinition(t, "referencegrants"))
	w.create(t, grant)
	w.waitForParent(t, "ResolvedRefs", "ResolvedRefs")

	service := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"namespace": "shop", "name": "web"}}}
	if err := w.Patch(t.Context(), service, client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"ports": [{"port": 81}]}}`))); err != nil {
		t.Fatal(err)
	}
	w.waitForParent(t, "Accepted", "NoMatchingParent")
	w.waitForCondition(t, split, "TrafficSplit", "split", "Accepted", "True Accepted", "in force")
}

const connectionRoutes = `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {ports: [{name: sql, port: 5432, appProtocol: tcp}, {name: tls, port: 443, appProtocol: https}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: r, namespace: shop}
spec: {matches: {ports: [5432]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: db, port: 443}]
  rules: [{backendRefs: [{name: db, port: 443}]}]`

const tlsRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: r, namespace: shop}
spec:
  hostnames: [db.example.com]
  parentRefs: [{group: "", kind: Service, name: db, port: 443}]
  rules: [{backendRefs: [{name: db, port: 443}]}]`

// TestStatusOfConnectionRoutes has TCPRoutes of SMI and of the Gateway API with the same name, and a TLSRoute that is defined and created later.
func TestStatusOfConnectionRoutes(t *testing.T) {
	w := start(t)
	w.create(t, mesh)
	envtest.Install(t, w.config, gatewayDefinition(t, "tcproutes"))
	w.create(t, connectionRoutes)
	w.waitForCondition(t, "specs.smi-spec.io/v1alpha4", "TCPRoute", "r", "Accepted", "True Accepted", "in force")
	w.waitForParentOf(t, kinds.GatewayTCPRoute, "Accepted", "Accepted")
	envtest.Install(t, w.config, gatewayDefinition(t, "tlsroutes"))
	w.create(t, tlsRoute)
	w.waitForParentOf(t, kinds.TLSRoute, "Accepted", "Accepted")
	w.waitForParentOf(t, kinds.TLSRoute, "ResolvedRefs", "ResolvedRefs")
	w.waitForParentOf(t, kinds.GatewayTCPRoute, "Accepted", "Conflicted")
}

// waitForParent is waitForParentOf for the HTTPRoute.
func (w statusTest) waitForParent(t *testing.T, condition, reason string) {
	t.Helper()
	w.waitForParentOf(t, kinds.HTTPRoute, condition, reason)
}

// waitForParentOf waits until the route of a kind has one entry, with a condition of its generation with a reason.
func (w statusTest) waitForParentOf(t *testing.T, kind schema.GroupVersionKind, condition, reason string) {
	t.Helper()
	var last []gatewayv1.RouteParentStatus
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		object, route := kinds.Object(kind), &gatewayv1.HTTPRoute{}
		if err := w.Get(ctx, client.ObjectKey{Namespace: "shop", Name: "r"}, object); err != nil {
			return false, err
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, route); err != nil {
			return false, err
		}
		last = route.Status.Parents
		if len(last) != 1 || last[0].ControllerName != "gateway.openservicemesh.io/osm" {
			return false, nil
		}
		c := meta.FindStatusCondition(last[0].Conditions, condition)
		return c != nil && c.Reason == reason && c.ObservedGeneration == route.Generation, nil
	})
	if err != nil {
		t.Fatalf("the entries are %+v, want %s with %s: %v", last, condition, reason, err)
	}
}

// gatewayDefinition reads a definition of the Gateway API from its module.
func gatewayDefinition(t *testing.T, plural string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", "gateway.networking.k8s.io_"+plural+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(content, definition); err != nil {
		t.Fatal(err)
	}
	return definition
}
