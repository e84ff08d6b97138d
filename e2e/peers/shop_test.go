package peers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// server runs in the east. It admits the client in the west, and not the other one.
const server, admitted, other = "server", "client", "other"

// policies let the client call the server. An account of a peer needs a policy of its own for TCP, like all accounts.
const policies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: NAMESPACE}
spec: {matches: [{name: all, pathRegex: .*, methods: ["*"]}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: tcp, namespace: NAMESPACE}
spec: {matches: {name: tcp, ports: [9000, 9001]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: http, namespace: NAMESPACE}
spec:
  destination: {kind: ServiceAccount, name: server, namespace: NAMESPACE}
  sources: [{kind: PeerServiceAccount, name: west/client, namespace: NAMESPACE}]
  rules: [{kind: HTTPRouteGroup, name: all}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: tcp, namespace: NAMESPACE}
spec:
  destination: {kind: ServiceAccount, name: server, namespace: NAMESPACE}
  sources: [{kind: PeerServiceAccount, name: west/client, namespace: NAMESPACE}]
  rules: [{kind: TCPRoute, name: tcp}]
`

// shop is a namespace of both clusters, with a server in the east and two clients in the west.
type shop struct{ namespace string }

// deploy deploys a shop. Both meshes declare each other, and the Service is exported and imported. No policy admits a client yet.
func deploy(t *testing.T, namespace string) shop {
	t.Helper()
	requirePeers(t)
	s := shop{namespace}
	for _, cluster := range []*lab.Cluster{west, east.Cluster} {
		t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace)) })
		lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, names.DefaultMesh))
	}
	lab.Must(t, east.Create(t.Context(), s.servers()...))
	for _, name := range []string{admitted, other} {
		s.addClient(t, name)
	}
	lab.Must(t, west.PodsReady(t.Context(), podLimit, namespace))
	lab.Must(t, east.PodsReady(t.Context(), podLimit, namespace))
	lab.Must(t, west.Put(t.Context(), meshPeer(t, east.Cluster, eastName)))
	lab.Must(t, east.Put(t.Context(), meshPeer(t, west, westName)))
	service := namespace + "/" + server
	lab.Must(t, east.Put(t.Context(), osm(t, east.Cluster, "peer", "export", service, "--to", westName)))
	ports := fmt.Sprintf("%d,%d/tcp,%d/tcp-server-first", lab.HTTPPort, lab.EchoPort, lab.GreetPort)
	lab.Must(t, west.Put(t.Context(), osm(t, west, "peer", "import", service, "--from", eastName, "--port", ports)))
	return s
}

// deployAdmitted deploys a shop whose client can call the server.
func deployAdmitted(t *testing.T, namespace string) shop {
	t.Helper()
	s := deploy(t, namespace)
	lab.Must(t, east.Put(t.Context(), s.policies()))
	s.awaitSuccess(t, admitted)
	return s
}

func (s shop) policies() string { return strings.ReplaceAll(policies, "NAMESPACE", s.namespace) }

// servers returns a Deployment of one server, with its Service.
func (s shop) servers() []client.Object {
	account, pod := east.TestPod(s.namespace, server)
	return []client.Object{account, lab.TestService(s.namespace, server), lab.Deployment(pod, 1)}
}

func (s shop) addClient(t *testing.T, name string) {
	t.Helper()
	account, pod := west.TestPod(s.namespace, name)
	lab.Must(t, west.Create(t.Context(), account, pod))
}

func (s shop) url() string {
	return fmt.Sprintf("http://%s.%s:%d/books", server, s.namespace, lab.HTTPPort)
}

// address is the host and port of the server for TCP.
func (s shop) address(port int) string { return fmt.Sprintf("%s.%s:%d", server, s.namespace, port) }

// agent returns the agent of a client.
func (s shop) agent(t *testing.T, name string) *lab.Agent {
	t.Helper()
	return west.Agent(t.Context(), s.namespace, name, lab.AgentPort)
}

// awaitSuccess waits until requests of a client succeed.
func (s shop) awaitSuccess(t *testing.T, name string) {
	t.Helper()
	result, err := s.agent(t, name).AwaitOutcome(t.Context(), callLimit, s.url(), "200")
	lab.Must(t, err)
	if result.Names[server] != result.Requests {
		t.Fatalf("requests were answered by %v, want %s", result.Names, server)
	}
}

// awaitFailures waits until all requests of a client fail, and returns their outcomes.
func (s shop) awaitFailures(t *testing.T, name string) map[string]int {
	t.Helper()
	var outcomes map[string]int
	lab.Eventually(t, callLimit, "all requests of "+name+" fail", func(ctx context.Context) (bool, string, error) {
		result, err := s.agent(t, name).Requests(ctx, s.url(), "--count", "4")
		if err != nil {
			return false, "", err
		}
		outcomes = result.Outcomes
		return outcomes["200"] == 0, fmt.Sprint(outcomes), nil
	})
	return outcomes
}

// load is the running requests of the client: some on new connections, and some on open ones.
type load struct {
	t       *testing.T
	running []*lab.Running[report.Requests]
}

func (s shop) startLoad(t *testing.T) load {
	t.Helper()
	return s.startLoadTo(t, s.url(), "30")
}

// startLoadTo starts requests at twice a rate.
func (s shop) startLoadTo(t *testing.T, url, rate string) load {
	t.Helper()
	l := load{t: t}
	for _, args := range [][]string{{"--rate", rate}, {"--rate", rate, "--keep-alive"}} {
		running, err := s.agent(t, admitted).StartRequests(t.Context(), url, args...)
		lab.Must(t, err)
		l.running = append(l.running, running)
	}
	return l
}

// stop ends the requests, of which none may have failed, and returns how many there were.
func (l load) stop() (requests int) {
	for _, result := range l.results() {
		requests += result.Requests
		if failed := result.Failed(); failed > 0 || !result.IsRepresentative() {
			l.t.Errorf("%d of %d requests failed, %d were not sent: %+v", failed, result.Requests, result.Skipped, result.Failures)
		}
	}
	return requests
}

// failed ends the requests, and returns how many have failed.
func (l load) failed() (failed int) {
	for _, result := range l.results() {
		failed += result.Failed()
	}
	return failed
}

func (l load) results() []*report.Requests {
	var results []*report.Requests
	for _, running := range l.running {
		result, err := running.Stop(context.WithoutCancel(l.t.Context()))
		lab.Must(l.t, err)
		l.t.Logf("%d requests, %v, through gateways %v", result.Requests, result.Outcomes, result.Clients)
		results = append(results, result)
	}
	return results
}
