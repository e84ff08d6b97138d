package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// local is a server in the west.
const local = "local"

// outage is how long a part is away.
const outage = 15 * time.Second

// part is what an outage concerns.
type part struct {
	name        string
	leave, back func(*testing.T)
	// imported is true if requests to the other mesh are served meanwhile.
	imported bool
}

// TestOutagesStayWhereTheyAre lets parts of both meshes fail, one after the other. Of at least 20,000 requests to a server of the own cluster none fails, and
// while the way to the other cluster exists, none to it.
func TestOutagesStayWhereTheyAre(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-outages")
	s.serveLocally(t)
	inside := s.startLocalLoad(t)
	for _, p := range []part{
		{name: "the control plane of the exporter", leave: absent(east.Cluster, names.Controller), back: present(east.Cluster, names.Controller), imported: true},
		{name: "the control plane of the importer", leave: absent(west, names.Controller), back: present(west, names.Controller), imported: true},
		{name: "the peer gateway of the exporter", leave: absent(east.Cluster, names.PeerGateway), back: present(east.Cluster, names.PeerGateway)},
		{name: "the peer gateway of the importer", leave: absent(west, names.PeerGateway), back: present(west, names.PeerGateway)},
		{name: "the network between them", leave: func(t *testing.T) { t.Helper(); lab.Must(t, east.Partition(t.Context())) }, back: func(t *testing.T) {
			t.Helper()
			lab.Must(t, east.Heal(context.WithoutCancel(t.Context())))
		}},
	} {
		t.Run(p.name, func(t *testing.T) {
			var requests load
			if p.imported {
				requests = s.startLoad(t)
			}
			t.Cleanup(func() { p.back(t) })
			p.leave(t)
			if !p.imported {
				s.awaitFailures(t, admitted)
			}
			time.Sleep(outage)
			requests.stop()
			p.back(t)
			s.awaitSuccess(t, admitted)
		})
	}
	total := inside.stop()
	for total < 20_000 {
		inside = s.startLocalLoad(t)
		time.Sleep(time.Minute)
		total += inside.stop()
	}
}

// absent scales a Deployment of a mesh to zero. The operator leaves it alone until present.
func absent(cluster *lab.Cluster, name string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: name}}
		lab.Must(t, cluster.Patch(t.Context(), deployment, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}},"spec":{"replicas":0}}`, names.DriftAnnotation, names.DriftIgnore)))
		lab.Eventually(t, podLimit, name+" is gone", func(ctx context.Context) (bool, string, error) {
			var pods corev1.PodList
			err := cluster.Client.List(ctx, &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: name})
			return len(pods.Items) == 0, fmt.Sprint(len(pods.Items), " pods"), err
		})
	}
}

// present ends what absent began. The operator repairs the Deployment.
func present(cluster *lab.Cluster, name string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context())
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: name}}
		lab.Must(t, cluster.Patch(ctx, deployment, fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, names.DriftAnnotation)))
		awaitAvailable(t, cluster, name)
	}
}

// serveLocally adds a server to the west, which admits the client.
func (s shop) serveLocally(t *testing.T) {
	t.Helper()
	account, pod := west.TestPod(s.namespace, local)
	lab.Must(t, west.Create(t.Context(), account, pod, lab.TestService(s.namespace, local)))
	lab.Must(t, west.Put(t.Context(), fmt.Sprintf(localPolicies, s.namespace)))
	lab.Must(t, west.PodsReady(t.Context(), podLimit, s.namespace))
	_, err := s.agent(t, admitted).AwaitOutcome(t.Context(), callLimit, s.localURL(), "200")
	lab.Must(t, err)
}

const localPolicies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: %[1]s}
spec: {matches: [{name: all, pathRegex: .*, methods: ["*"]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: local, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: local, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: client, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: all}]
`

func (s shop) localURL() string {
	return fmt.Sprintf("http://%s.%s:%d/books", local, s.namespace, lab.HTTPPort)
}

// startLocalLoad starts requests that do not leave the west.
func (s shop) startLocalLoad(t *testing.T) load {
	t.Helper()
	return s.startLoadTo(t, s.localURL(), "90")
}

// TestServersVanish kills one of two servers of the exporter without a warning. Two seconds later, no request fails any more.
func TestServersVanish(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-vanish")
	servers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: server}}
	lab.Must(t, east.Patch(t.Context(), servers, `{"spec":{"replicas":2}}`))
	lab.Must(t, east.PodsReady(t.Context(), podLimit, s.namespace))
	s.awaitSuccess(t, admitted)
	for range 3 {
		pod, err := east.Pod(t.Context(), s.namespace, lab.AppLabel, server)
		lab.Must(t, err)
		early := s.startLoad(t)
		time.Sleep(time.Second)
		lab.Must(t, east.Client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
		time.Sleep(2 * time.Second)
		late := s.startLoad(t)
		time.Sleep(10 * time.Second)
		late.stop()
		t.Logf("%d requests failed in the first seconds", early.failed())
		lab.Must(t, east.PodsReady(t.Context(), podLimit, s.namespace))
	}
}
