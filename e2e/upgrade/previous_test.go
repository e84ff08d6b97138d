package upgrade

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// mailPolicy is a policy that the earlier control plane must push to newer sidecars: mail may call the store.
const mailPolicy = `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: later, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: mail, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: books}]
`

// testEarlierControlPlane rolls back only the control plane, by spec.version. The newer sidecars stay, keep calling each
// other and the older ones, and receive a new policy.
func testEarlierControlPlane(t *testing.T, s shop) {
	t.Helper()
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	lab.Must(t, err)
	running := s.startTraffic(0)
	m.change(`{"version":"` + cluster.Earlier + `","upgrade":{"dataPlane":{"restart":"Manual"}}}`)
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Version, cluster.Earlier)
	s.awaitControlPlane(t, cluster.Earlier)
	lab.Must(t, cluster.Available(t.Context(), podLimit, m.namespace()))
	if now, _, err := s.sidecars(t.Context()); err != nil || fmt.Sprint(now) != fmt.Sprint(sidecars) {
		t.Errorf("the sidecars by revision are %v (%v), want %v as before", now, err, sidecars)
	}
	// Newer to newer, newer to older, and older to newer sidecars.
	s.checkRequests(t, "cart", store)
	s.checkRequests(t, "cart", archive)
	s.checkRequests(t, buyer, store)
	s.checkPolicyPropagation(t)
	running.stop("new sidecars with the earlier control plane")
	m.change(`{"version":"` + cluster.Version + `"}`)
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, upgradeLimit))
}

// checkPolicyPropagation applies a policy and waits until the sidecars of client and server enforce it.
func (s shop) checkPolicyPropagation(t *testing.T) {
	t.Helper()
	result, err := s.agent("mail").Requests(t.Context(), s.url(store))
	lab.Must(t, err)
	if result.Outcomes["200"] > 0 {
		t.Error("the mail may call the store without a policy")
	}
	text := fmt.Sprintf(mailPolicy, s.namespace, store)
	lab.Must(t, cluster.Put(t.Context(), text))
	start := time.Now()
	s.awaitReachable(s.agent("mail"), store)
	t.Logf("a policy from the earlier control plane reached new sidecars within %s", time.Since(start).Round(time.Millisecond))
	lab.Must(t, cluster.Remove(t.Context(), text))
}
