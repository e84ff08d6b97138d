package upgrade

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

const (
	// poolConnections is how many connections each pool holds; there are four.
	poolConnections = "250"
	// poolPause is the longest pause of a connection. Many are idle for longer than a drain.
	poolPause = time.Minute
	// poolWarm is how long pools run before an event, and poolAfter how long after its beginning: for a drain and a pause.
	poolWarm, poolAfter = 20 * time.Second, 100 * time.Second
	// beforeStop is how long the application of a deleted pod runs at least.
	beforeStop = 4 * time.Second
)

// pool is a client with idle connections, like the one of a common library.
type pool struct{ name, method, keep string }

// pools have the methods and the idle times of libraries by default. The HTTP clients of Go and Java repeat GET themselves when a connection ends.
var pools = []pool{{"GET, Go", "GET", "90s"}, {"POST, Go", "POST", "90s"}, {"POST, Java", "POST", "30s"}, {"POST, Node.js", "POST", "0s"}}

// poolRules have any request and connection to the HTTP port of cart.
const poolRules = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: any, namespace: %[1]s}
spec: {matches: [{name: any, pathRegex: .*, methods: ["*"]}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: any, namespace: %[1]s}
spec: {matches: {ports: [%[2]d]}}
---
`

// poolGrant allows a client to call cart by the rules.
const poolGrant = `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: pool-of-%[2]s, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: any}, {kind: TCPRoute, name: any}]
---
`

// neighbour is another client that may call cart.
const neighbour = "neighbour"

const poolTelemetry = `apiVersion: policy.openservicemesh.io/v1alpha1
kind: Telemetry
metadata: {name: pools, namespace: %[1]s}
spec: {accessLog: {format: "%%RESPONSE_CODE%%"}}
---
`

// poolEvent is a change during which connections are idle.
type poolEvent struct {
	name  string
	cause func(s shop, image string)
	// after is how long pools run since the beginning of the event; poolAfter if it is zero.
	after time.Duration
}

var poolEvents = []poolEvent{
	{name: "another client loses its permission", cause: func(s shop, _ string) {
		lab.Must(s.t, cluster.Remove(s.t.Context(), fmt.Sprintf(poolGrant, s.namespace, neighbour)))
	}},
	{name: "a Telemetry is created", cause: func(s shop, _ string) {
		lab.Must(s.t, cluster.Put(s.t.Context(), fmt.Sprintf(poolTelemetry, s.namespace)))
	}},
	{name: "the protocol of the port becomes tcp", cause: func(s shop, _ string) { s.setProtocol("tcp") }},
	{name: "the protocol of the port becomes http", cause: func(s shop, _ string) { s.setProtocol("http") }},
	{name: "the server's pods are replaced", cause: func(s shop, _ string) {
		target := &appsv1.Deployment{ObjectMeta: objectNamed(s.namespace, cart)}
		lab.Must(s.t, cluster.Patch(s.t.Context(), target, `{"spec":{"template":{"metadata":{"annotations":{"replaced":"true"}}}}}`))
	}},
	{name: "the slots of all sidecars are replaced", after: poolAfter + 2*time.Minute, cause: func(s shop, image string) {
		s.mesh.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, image))
		s.awaitSlots("the new Envoy serves", image, 1)
	}},
	{name: "the client's pod is deleted, until SIGTERM", after: beforeStop, cause: func(s shop, _ string) {
		lab.Must(s.t, cluster.Client.Delete(s.t.Context(), &corev1.Pod{ObjectMeta: objectNamed(s.namespace, buyer)}))
	}},
}

// TestIdlePools holds 1,000 idle connections through changes that end connections, and prints the table of docs/faults.md. Between sidecars, no request
// without side effects is lost.
func TestIdlePools(t *testing.T) {
	lab.RequireFull(t)
	image := loadEnvoy(t, "patched", patched)
	m := newMesh(t, "pools", cluster.Version)
	m.change(`{"upgrade":{"dataPlane":{"restart":"InPlace"}}}`)
	m.awaitInjector("--in-place=true")
	s := deployCart(t, m)
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(poolRules, s.namespace, lab.HTTPPort)+fmt.Sprintf(poolGrant, s.namespace, buyer)+
		fmt.Sprintf(poolGrant, s.namespace, neighbour)))
	header := []string{"Event", "Requests"}
	for _, p := range pools {
		header = append(header, p.name)
	}
	rows := []string{"| " + strings.Join(header, " | ") + " |", strings.Repeat("|---", len(header)) + "|"}
	for _, event := range poolEvents {
		t.Run(strings.ReplaceAll(event.name, " ", "_"), func(t *testing.T) { rows = append(rows, event.measure(s.in(t), image)) })
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

// setProtocol changes the protocol of the HTTP port of cart, which is then its only one.
func (s shop) setProtocol(protocol string) {
	service := &corev1.Service{ObjectMeta: objectNamed(s.namespace, cart)}
	lab.Must(s.t, cluster.Patch(s.t.Context(), service, fmt.Sprintf(`{"spec":{"ports":[{"name":"http","port":%[1]d,"targetPort":%[1]d,"appProtocol":%[2]q}]}}`, lab.HTTPPort, protocol)))
}

// measure causes an event while the pools run, and returns its row.
func (e poolEvent) measure(s shop, image string) string {
	t, agent := s.t, s.agent(buyer)
	running := make([]*lab.Running[report.Requests], len(pools))
	for i, p := range pools {
		var err error
		running[i], err = agent.StartRequests(t.Context(), s.url(cart), "--keep-alive", "--connections", poolConnections,
			"--pause", poolPause.String(), "--method", p.method, "--keep", p.keep, "--timeout", requestTimeout)
		lab.Must(t, err)
	}
	time.Sleep(poolWarm)
	begin := time.Now()
	e.cause(s, image)
	after := poolAfter
	if e.after > 0 {
		after = e.after
	}
	time.Sleep(time.Until(begin.Add(after)))
	total, cells := 0, []string{}
	for i, p := range pools {
		result, err := running[i].Stop(context.WithoutCancel(t.Context()))
		lab.Must(t, err)
		total += result.Requests
		cells = append(cells, p.lost(t, result))
	}
	return fmt.Sprintf("| %s | %d | %s |", e.name, total, strings.Join(cells, " | "))
}

// lost returns how many requests of a pool are lost towards its own sidecar, and how many with an answer of a sidecar.
func (p pool) lost(t *testing.T, r *report.Requests) string {
	t.Helper()
	own, failed := r.Outcomes[report.Reset]+r.Outcomes[report.Refused], r.Failed()
	if failed > 0 {
		t.Logf("%s: %v, %v", p.name, r.Outcomes, r.Failures)
	}
	if p.method == "GET" && failed > 0 || failed > own {
		t.Errorf("%s: %d of %d requests are lost, %d of them between sidecars: %v", p.name, failed, r.Requests, failed-own, r.Errors)
	}
	return fmt.Sprintf("%d + %d", own, failed-own)
}
