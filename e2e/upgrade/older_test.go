package upgrade

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// grant is a policy that an older control plane has to give to newer sidecars: the one of the mail may call the store.
const grant = `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: later, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: mail, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: books}]
`

// underTheVersionBefore takes only the control plane back to the version before, by spec.version. The sidecars of this version stay, go on
// calling each other and those of the version before, and learn of a new policy.
func underTheVersionBefore(t *testing.T, s shop) {
	t.Helper()
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	must(t, err)
	running := s.start(0)
	m.change(`{"version":"` + before + `","upgrade":{"dataPlane":{"restart":"Manual"}}}`)
	m.ends(v1alpha1.ResultSucceeded, cluster.Version, before)
	s.runs(t, before)
	must(t, cluster.Available(t.Context(), podLimit, m.namespace()))
	if now, _, err := s.sidecars(t.Context()); err != nil || fmt.Sprint(now) != fmt.Sprint(sidecars) {
		t.Errorf("the sidecars are %v (%v), want those from before: %v", now, err, sidecars)
	}
	// From newer to newer, from newer to older, from older to newer.
	s.call(t, "cart", store)
	s.call(t, "cart", keeper)
	s.call(t, buyer, store)
	s.learns(t)
	running.stop("sidecars of this version under the version before")
	m.change(`{"version":"` + cluster.Version + `"}`)
	must(t, cluster.MeshReady(t.Context(), m.name, upgradeLimit))
}

// learns gives a policy and waits until sidecars on both of its ends act by it.
func (s shop) learns(t *testing.T) {
	t.Helper()
	result, err := s.agent("mail").Requests(t.Context(), s.url(store))
	must(t, err)
	if result.Outcomes["200"] > 0 {
		t.Error("the mail may call the store without a policy")
	}
	text := fmt.Sprintf(grant, s.namespace, store)
	must(t, cluster.Put(t.Context(), text))
	begun := time.Now()
	s.reachable(s.agent("mail"), store)
	t.Logf("a policy of the version before reached sidecars of this one within %s", time.Since(begun).Round(time.Millisecond))
	must(t, cluster.Remove(t.Context(), text))
}
