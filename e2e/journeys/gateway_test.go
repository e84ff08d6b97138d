package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// gatewayFlows are the loads of a client: one opens a connection for each request, one reuses connections.
var gatewayFlows = [][]string{{"--rate", "50"}, {"--rate", "50", "--keep-alive"}}

// TestIngressGatewayLosesNothing serves a strict workload to a client outside the mesh: denied without a policy, allowed with one, over
// HTTPS with a Secret, and without a failed request while a pod of the gateway is deleted.
func TestIngressGatewayLosesNothing(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.InstallGatewayAPI(t.Context()))
	setGateway(t, "ingressGateway", `{mode: Managed, service: {type: ClusterIP}}`)
	t.Cleanup(func() { setGateway(t, "ingressGateway", "null") })
	inside, outside := meshNamespace(t, "backend"), createNamespace(t, "ingress", outsideMesh)
	createWorkloads(t, inside, "server")
	browser := createWorkloads(t, outside, "browser")["browser"]
	host := "server." + inside + ".example.com"
	applyPolicies(t, gatewayObjects(inside, host))
	awaitGatewayPods(t, names.IngressGateway)

	url := fmt.Sprintf("http://%s.%s/books", names.IngressGateway, names.DefaultNamespace)
	browser.expectWithin(t, podLimit, url, "403", "-H", "Host: "+host)
	applyPolicies(t, routeGroup(inside, "paths", "books=/books"),
		grant{namespace: inside, name: "gateway", destination: "server", source: names.DefaultNamespace + "/" + names.IngressGateway, rules: []string{"paths:books"}}.String())
	browser.expect(t, url, "200", "-H", "Host: "+host)
	browser.expect(t, url, "404", "-H", "Host: other.example.com")

	t.Run("certificate", func(t *testing.T) { checkGatewayCertificate(t, browser, inside, host) })
	t.Run("replaced pod", func(t *testing.T) {
		var running []*lab.Running[report.Requests]
		for _, args := range gatewayFlows {
			load, err := browser.StartRequests(t.Context(), url, append([]string{"-H", "Host: " + host, "--timeout", "15s"}, args...)...)
			lab.Must(t, err)
			running = append(running, load)
		}
		deleteGatewayPod(t, names.IngressGateway)
		for _, load := range running {
			result, err := load.Stop(t.Context())
			lab.Must(t, err)
			requireNoFailures(t, result, 200)
		}
	})
}

// gatewayObjects are a Gateway with HTTP and HTTPS, and a route to the Service server.
func gatewayObjects(namespace, host string) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: %[1]s}
spec:
  gatewayClassName: osm
  listeners:
  - {name: http, port: 80, protocol: HTTP, hostname: %[2]s}
  - {name: https, port: 443, protocol: HTTPS, hostname: %[2]s, tls: {certificateRefs: [{name: web}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: server, namespace: %[1]s}
spec:
  parentRefs: [{name: web}]
  rules: [{backendRefs: [{name: server, port: %[3]d}]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %[4]s, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[4]s}
subjects: [{kind: ServiceAccount, name: %[5]s, namespace: %[6]s}]
---
`, namespace, host, lab.HTTPPort, names.GatewayCertificateReader, names.Controller, names.DefaultNamespace)
}

// checkGatewayCertificate creates the Secret of the HTTPS listener, and waits until clients receive its certificate.
func checkGatewayCertificate(t *testing.T, browser workload, namespace, host string) {
	chain, key := pki.New(t).Issue(t, identity.ServiceAccount{Namespace: namespace, Name: "web"}, "example.com")
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "web"}
	lab.Must(t, cluster.Create(t.Context(), &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}}))
	address := fmt.Sprintf("%s.%s:443", names.IngressGateway, names.DefaultNamespace)
	lab.Eventually(t, time.Minute, "the gateway serves the certificate", func(ctx context.Context) (bool, string, error) {
		seen, err := browser.Handshake(ctx, address, host)
		if err != nil {
			return false, err.Error(), nil
		}
		return strings.Contains(fmt.Sprint(seen), "web."+namespace), fmt.Sprint(seen), nil
	})
}

// setGateway sets the field of the Mesh about a gateway.
func setGateway(t *testing.T, field, settings string) {
	t.Helper()
	_, err := cluster.Kubectl(context.WithoutCancel(t.Context()), "patch", "mesh", names.DefaultMesh, "--type", "merge", "-p", "spec: {"+field+": "+settings+"}")
	lab.Must(t, err)
}

// awaitGatewayPods waits until two pods of a gateway are ready.
func awaitGatewayPods(t *testing.T, gateway string) {
	t.Helper()
	lab.Eventually(t, podLimit, "two pods of the gateway are ready", func(ctx context.Context) (bool, string, error) {
		var deployment appsv1.Deployment
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: gateway}, &deployment)
		return deployment.Status.ReadyReplicas == 2 && deployment.Status.Replicas == 2, fmt.Sprint(deployment.Status, err), client.IgnoreNotFound(err)
	})
}

// deleteGatewayPod deletes one pod of a gateway, and waits until it has gone and its successor is ready.
func deleteGatewayPod(t *testing.T, gateway string) {
	t.Helper()
	pod, err := cluster.Pod(t.Context(), names.DefaultNamespace, names.AppLabel, gateway)
	lab.Must(t, err)
	lab.Must(t, cluster.Client.Delete(t.Context(), pod))
	lab.Eventually(t, 2*podLimit, "the deleted pod has gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
		return err != nil && client.IgnoreNotFound(err) == nil, "it exists", client.IgnoreNotFound(err)
	})
	awaitGatewayPods(t, gateway)
}
