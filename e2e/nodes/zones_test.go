package nodes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
)

// TestZones has a client and a server in each of two zones. Sidecars know their zones, and send to both alike, also where a Service asks for its own zone: a warning
// says so. The server of one zone moves to the other and back, and no request fails.
func TestZones(t *testing.T) {
	lab.RequireFull(t)
	requireLocal(t)
	cluster.Record(t, "sidecars know their zones and send to both; no request is lost while the servers of one zone go and return")
	zones := map[string]string{near: "zone-near", far: "zone-far"}
	setZone(t, lab.FirstNode, zones[near])
	setZone(t, second.Name, zones[far])
	s := deploy(t, "nodes-zones")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: server}}
	lab.Must(t, cluster.Patch(t.Context(), service, `{"spec":{"trafficDistribution":"PreferClose"}}`))
	for name, zone := range zones {
		s.checkZone(t, name, zone)
		s.checkShares(t, name)
	}
	lab.Eventually(t, callLimit, "a warning says that sidecars ignore zones", osmPrints(0, []string{"trafficDistribution", "requests go to pods in all zones"}, nil, "analyze", "-n", s.namespace))

	ofNear, ofFar := s.startLoad(t, near), s.startLoad(t, far)
	t.Cleanup(func() { lab.Must(t, second.Uncordon(context.WithoutCancel(t.Context()))) })
	lab.Must(t, second.Cordon(t.Context()))
	s.moveServer(t, second.Name, lab.FirstNode)
	lab.Must(t, second.Uncordon(t.Context()))
	s.moveServer(t, lab.FirstNode, second.Name)
	for _, name := range []string{near, far} {
		lab.Must(t, s.awaitServers(t.Context(), name, 2))
	}
	ofNear.stop(0)
	ofFar.stop(0)
}

// setZone labels a node with a zone until the test ends. Pods that are created on it get the label.
func setZone(t *testing.T, node, zone string) {
	t.Helper()
	patch := func(ctx context.Context, value string) error {
		object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
		return cluster.Patch(ctx, object, fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, corev1.LabelTopologyZone, value))
	}
	lab.Must(t, patch(t.Context(), `"`+zone+`"`))
	t.Cleanup(func() { lab.Must(t, patch(context.WithoutCancel(t.Context()), "null")) })
}

// checkZone requires that a sidecar knows its zone, if the version of Kubernetes gives it to pods.
func (s shop) checkZone(t *testing.T, name, zone string) {
	t.Helper()
	server, err := cluster.KubernetesVersion(t.Context())
	lab.Must(t, err)
	if compatibility.FeatureOf(compatibility.SidecarZones).LacksAPIServer("v" + server.String()) {
		t.Logf("Kubernetes %s gives pods no zone", server)
		return
	}
	text, err := cluster.Admin(t.Context(), s.namespace, name, "/server_info")
	lab.Must(t, err)
	if !strings.Contains(text, zone) {
		t.Errorf("the sidecar of %s does not know its zone %s: %s", name, zone, text)
	}
}

// checkShares requires that a client sends to the servers of both zones alike.
func (s shop) checkShares(t *testing.T, name string) {
	t.Helper()
	result, err := s.agent(t.Context(), name).Requests(t.Context(), s.url(), "--count", "400")
	lab.Must(t, err)
	t.Logf("%d requests of %s: %v", result.Requests, name, result.Names)
	for server, count := range result.Names {
		if share := float64(count) / float64(result.Requests); share < 0.3 || share > 0.7 {
			t.Errorf("%s sends %d of %d requests to %s, want about half", name, count, result.Requests, server)
		}
	}
	if result.Failed() > 0 || len(result.Names) != 2 {
		t.Errorf("requests of %s: %+v, want answers of two servers", name, result)
	}
}

// moveServer deletes a server on a node, and waits until another node has the one that replaces it.
func (s shop) moveServer(t *testing.T, from, to string) {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(s.namespace), client.MatchingLabels{lab.AppLabel: server}))
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Spec.NodeName == from && pod.DeletionTimestamp == nil {
			lab.Must(t, cluster.Client.Delete(t.Context(), pod))
			break
		}
	}
	before, err := s.nodesOf(t.Context())
	lab.Must(t, err)
	lab.Eventually(t, podLimit, "the server of "+from+" runs on "+to, func(ctx context.Context) (bool, string, error) {
		found, err := s.nodesOf(ctx)
		return found[to] == before[to]+1, fmt.Sprint(found), err
	})
	time.Sleep(10 * time.Second) // the earlier pod ends
}
