package upgrade

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// The faults, with the gates of which one must see each.
var (
	crash  = bad{fault: "crash", gates: []string{"ControlPlaneRestarts", "ReplicasReady"}}
	reject = bad{fault: "reject", gates: []string{"ConfigurationAccepted"}}
	// A tenth of all requests fails until the gate has seen it and the version before has taken over.
	unavailable = bad{fault: "unavailable", gates: []string{"ErrorRate"}, mayFail: 2000}
)

func TestAMeshMovesForwardAndBackUnderTraffic(t *testing.T) {
	teachFaults(t, crash.fault, reject.fault, unavailable.fault)
	t.Run("one way after the other", forwardAndBack)
	if full() {
		t.Run("while the operator is killed", killedOnTheWay)
	}
	// The API server of a cluster made elsewhere cannot be stopped.
	if full() && !lab.IsCurrent() {
		t.Run("while the API server is away", withoutAPIServer)
	}
}

// forwardAndBack is a row of scenarios on one mesh: each begins where the one before has ended.
func forwardAndBack(t *testing.T) {
	s := openShop(t, newMesh(t, "upgrade", before))
	t.Run("to the next version", func(t *testing.T) { upgradeInPlace(t, s.in(t), func() {}) })
	for _, b := range []bad{crash, reject, unavailable} {
		t.Run("to a version with the fault "+b.fault, func(t *testing.T) { returnsFrom(t, s.in(t), b, func() {}) })
	}
	if full() {
		t.Run("back after the first wave", func(t *testing.T) { returnsAfterWave(t, s.in(t)) })
		t.Run("under the version before", func(t *testing.T) { underTheVersionBefore(t, s.in(t)) })
	}
}

// upgradeInPlace moves a mesh to this version under traffic, while something else happens.
func upgradeInPlace(t *testing.T, s shop, meanwhile func()) {
	t.Helper()
	m := s.mesh
	byRevision, _, err := s.sidecars(t.Context())
	must(t, err)
	if byRevision[m.revision(before)] != sidecarsInAll {
		t.Fatalf("the sidecars are %v, want %d of %s", byRevision, sidecarsInAll, m.revision(before))
	}
	running := s.start(0)
	m.change(`{"version":"` + cluster.Version + `"}`)
	meanwhile()
	m.ends(v1alpha1.ResultSucceeded, before, cluster.Version)
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
	s.movedAllBut(t, buyer, keeper, bookbuyer)
	// Each of them has a sidecar of another version than the one it calls.
	s.call(t, "cart", keeper)
	s.call(t, buyer, keeper)
	s.call(t, buyer, store)
	running.stop("upgrade in place")
}

// movedAllBut wants the sidecars of all apps to be of this version, except for some, which the status counts.
func (s shop) movedAllBut(t *testing.T, left ...string) {
	t.Helper()
	old := map[string]bool{}
	for _, app := range left {
		old[app] = true
	}
	_, ofApp, err := s.sidecars(t.Context())
	must(t, err)
	for app, revision := range ofApp {
		want := s.mesh.revision(cluster.Version)
		if old[app] {
			want = s.mesh.revision(before)
		}
		if revision != want {
			t.Errorf("the sidecar of %s is of %s, want %s", app, revision, want)
		}
	}
	must(t, lab.Until(t.Context(), 20*time.Second, "the status counts the sidecars that are left", func(ctx context.Context) (bool, string, error) {
		live, err := s.mesh.read(ctx)
		if err != nil || live.Status.Proxies == nil {
			return false, "no count", err
		}
		p := live.Status.Proxies
		return p.Total == sidecarsInAll && p.Outdated == int32(len(left)) && live.Status.Upgrade == nil, fmt.Sprintf("%+v", *p), nil
	}))
}
