package journeys

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A sidecar that loads destinations on demand reaches the same Services by all protocols and address families. Requests that no policy allows get a status,
// because all Services with HTTP on a port number share a listener.
func TestDestinationsAreLoadedOnDemand(t *testing.T) {
	t.Parallel()
	cluster.RequireKubernetes(t, compatibility.DestinationsOnDemand)
	s := sharedFixture(t)
	namespace := createNamespace(t, "demand", names.DefaultMesh)
	account, pod := cluster.TestPod(namespace, "loader")
	pod.Annotations = map[string]string{names.DestinationsAnnotation: names.DestinationsOnDemand}
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	loader := workload{cluster.Agent(t.Context(), namespace, "loader", lab.AgentPort), namespace, "loader"}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	applyPolicies(t, routeGroup(s.server.namespace, "loads", "loads=/loads")+
		grant{namespace: s.server.namespace, name: "loader", destination: "server", source: namespace + "/loader", rules: []string{"loads:loads"}}.String()+
		grant{namespace: s.server.namespace, name: "loader-lines", destination: "server", source: namespace + "/loader", rules: []string{"tcp:lines"}}.String())
	loader.expect(t, s.server.url("/loads"), "200")
	loader.expect(t, s.server.url("/admin"), "403")
	loader.expect(t, s.other.url("/books"), "503")
	loader.expect(t, s.outsider.url("/books"), "503")
	v6 := ipv6(t, s.server.clusterIPs(t))
	loader.expect(t, "http://["+v6+"]:8080/loads", "200")
	for port, args := range map[int][]string{lab.EchoPort: nil, lab.GreetPort: {"--greeted"}} {
		result, err := loader.Session(t.Context(), s.server.address(port), args...)
		lab.Must(t, err)
		if result.Failure != "" {
			t.Errorf("a session with port %d ended with %q (%s)", port, result.Failure, result.Error)
		}
	}
	result, err := loader.Session(t.Context(), s.other.address(lab.EchoPort))
	lab.Must(t, err)
	if result.Failure != report.Reset {
		t.Errorf("a session that no policy allows ended with %q (%s)", result.Failure, result.Error)
	}
}
