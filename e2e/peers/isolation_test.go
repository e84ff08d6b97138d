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

// part is what is away for a while: a Deployment of a mesh, or the network between the clusters.
type part struct {
	name       string
	cluster    *lab.Cluster
	deployment string
	// imported is true if requests to the other mesh are served meanwhile.
	imported bool
}

func parts() []part {
	return []part{
		{"the control plane of the exporter", east.Cluster, names.Controller, true},
		{"the control plane of the importer", west, names.Controller, true},
		{"the peer gateway of the exporter", east.Cluster, names.PeerGateway, false},
		{"the peer gateway of the importer", west, names.PeerGateway, false},
		{"the network between them", nil, "", false},
	}
}

// TestOutagesStayWhereTheyAre lets parts of both meshes fail, one after the other. Of at least 20,000 requests to a server of the own cluster none fails, and
// while the way to the other cluster exists, none to it.
func TestOutagesStayWhereTheyAre(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-outages")
	s.serveLocally(t)
	inside := s.startLocalLoad(t)
	for _, p := range parts() {
		t.Run(p.name, func(t *testing.T) { s.endure(t, p) })
	}
	total := inside.stop()
	for total < 20_000 {
		inside = s.startLocalLoad(t)
		time.Sleep(time.Minute)
		total += inside.stop()
	}
}

// endure lets a part be away for the time of an outage.
func (s shop) endure(t *testing.T, p part) {
	t.Helper()
	var requests load
	if p.imported {
		requests = s.startLoad(t)
	}
	t.Cleanup(func() { lab.Must(t, p.back(context.WithoutCancel(t.Context()))) })
	p.leave(t)
	if !p.imported {
		s.awaitFailures(t, admitted)
	}
	time.Sleep(outage)
	requests.stop()
	lab.Must(t, p.back(t.Context()))
	if p.cluster != nil {
		awaitAvailable(t, p.cluster, p.deployment)
	}
	s.awaitSuccess(t, admitted)
}

// leave separates the clusters, or scales the Deployment to zero. The operator leaves it alone until back.
func (p part) leave(t *testing.T) {
	t.Helper()
	if p.cluster == nil {
		lab.Must(t, east.Partition(t.Context()))
		return
	}
	lab.Must(t, p.cluster.Patch(t.Context(), p.object(), fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}},"spec":{"replicas":0}}`, names.DriftAnnotation, names.DriftIgnore)))
	lab.Eventually(t, podLimit, p.name+" is gone", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		err := p.cluster.Client.List(ctx, &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: p.deployment})
		return len(pods.Items) == 0, fmt.Sprint(len(pods.Items), " pods"), err
	})
}

// back ends what leave began. The operator repairs the Deployment.
func (p part) back(ctx context.Context) error {
	if p.cluster == nil {
		return east.Heal(ctx)
	}
	return p.cluster.Patch(ctx, p.object(), fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, names.DriftAnnotation))
}

func (p part) object() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: p.deployment}}
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
