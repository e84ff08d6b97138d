package peers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

// TestServiceIsCalledInAnotherMesh exports a Service from one mesh to another. No account can call it before a TrafficTarget admits it.
func TestServiceIsCalledInAnotherMesh(t *testing.T) {
	s := deploy(t, "peers-calls")
	s.awaitFailures(t, admitted)
	begin := time.Now()
	lab.Must(t, east.Put(t.Context(), s.policies()))
	s.awaitSuccess(t, admitted)
	t.Logf("four requests in a row succeed %s after the last declaration", time.Since(begin).Round(time.Millisecond))
	for port, args := range map[int][]string{lab.EchoPort: nil, lab.GreetPort: {"--greeted"}} {
		session, err := s.agent(t, admitted).Session(t.Context(), s.address(port), append(args, "--duration", "1s")...)
		lab.Must(t, err)
		if session.Exchanges == 0 || session.Failure != "" {
			t.Errorf("a session with port %d has %d exchanges and ends with %s", port, session.Exchanges, session.Error)
		}
	}
	if outcomes := s.awaitFailures(t, other); outcomes[report.Reset] == 0 {
		t.Errorf("requests of an account that is not admitted have the outcomes %v", outcomes)
	}
	session, err := s.agent(t, other).Session(t.Context(), s.address(lab.EchoPort))
	lab.Must(t, err)
	if session.Exchanges > 0 {
		t.Error("an account that is not admitted exchanges bytes with the server")
	}
	west.Record(t, "workloads call a Service of a mesh in another cluster, and no account does that is not admitted")
}

// TestPermissionIsWithdrawn withdraws what allows the calls, one declaration after the other, and restores it.
func TestPermissionIsWithdrawn(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-withdrawn")
	policies, inWest, inEast := s.policies(), meshPeer(t, east.Cluster, eastName), meshPeer(t, west, westName)
	for _, withdrawn := range []struct {
		name      string
		cluster   *lab.Cluster
		manifests string
	}{
		{"the policies", east.Cluster, policies},
		{"the MeshPeer of the exporter", east.Cluster, inEast},
		{"the MeshPeer of the importer", west, inWest},
	} {
		t.Run(withdrawn.name, func(t *testing.T) {
			begin := time.Now()
			lab.Must(t, withdrawn.cluster.Remove(t.Context(), withdrawn.manifests))
			outcomes := s.awaitFailures(t, admitted)
			t.Logf("requests fail after %s with %v", time.Since(begin).Round(time.Millisecond), outcomes)
			lab.Must(t, withdrawn.cluster.Put(t.Context(), withdrawn.manifests))
			s.awaitSuccess(t, admitted)
		})
	}
}

// TestLastServerIsGone removes the only pod of the Service. Requests fail at once, and do not time out. They succeed when there is a pod again.
func TestLastServerIsGone(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-empty")
	servers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: server}}
	lab.Must(t, east.Patch(t.Context(), servers, `{"spec":{"replicas":0}}`))
	if outcomes := s.awaitFailures(t, admitted); outcomes[report.Timeout] > 0 {
		t.Errorf("requests have the outcomes %v", outcomes)
	}
	lab.Must(t, east.Patch(t.Context(), servers, `{"spec":{"replicas":1}}`))
	s.awaitSuccess(t, admitted)
}
