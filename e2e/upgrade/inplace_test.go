package upgrade

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// Faulty versions with their gates. At least one gate of each must fail.
var (
	crash  = faultyVersion{fault: "crash", gates: []string{"ControlPlaneRestarts", "ReplicasReady"}}
	reject = faultyVersion{fault: "reject", gates: []string{"ConfigurationAccepted"}}
	// A tenth of all requests fails until the gate fails and the mesh is rolled back.
	unavailable = faultyVersion{fault: "unavailable", gates: []string{"ErrorRate"}, maxFailures: 2000}
)

func TestInPlaceUpgradeAndRollback(t *testing.T) {
	besideOthers(t)
	faults := []string{unavailable.fault}
	if lab.IsFull() {
		faults = append(faults, crash.fault, reject.fault)
	}
	addFaultyVersions(t, faults...)
	t.Run("in sequence", testUpgradeSequence)
	t.Run("while the operator is killed", onlyFull(testOperatorKilled))
	// Only the API server of the local cluster can be stopped.
	if !lab.IsCurrent() {
		t.Run("while the API server is stopped", onlyFull(testAPIServerOutage))
	}
}

// besideOthers lets a test run beside another one in `make test`. Both have meshes of their own, and mostly wait. A full run has scenarios that stop the operator
// or the API server.
func besideOthers(t *testing.T) {
	t.Helper()
	if !lab.IsFull() {
		t.Parallel()
	}
}

// testUpgradeSequence runs a sequence of scenarios on one mesh. Each starts in the final state of the earlier one.
func testUpgradeSequence(t *testing.T) {
	s := deployShop(t, newMesh(t, "upgrade", cluster.Earlier))
	t.Run("to the next version", func(t *testing.T) { upgradeInPlace(t, s.in(t), func() {}) })
	rollback := func(b faultyVersion) func(*testing.T) {
		return func(t *testing.T) { testRollback(t, s.in(t), b, func() {}) }
	}
	// make test has the fault that loses requests until the rollback. The gates of the others are tested without a cluster.
	t.Run("to a version with the fault crash", onlyFull(rollback(crash)))
	t.Run("to a version with the fault reject", onlyFull(rollback(reject)))
	t.Run("to a version with the fault unavailable", rollback(unavailable))
	t.Run("rollback after the first wave", onlyFull(func(t *testing.T) { testRollbackAfterWave(t, s.in(t)) }))
	t.Run("with the earlier control plane", onlyFull(func(t *testing.T) { testEarlierControlPlane(t, s.in(t)) }))
}

// onlyFull returns a test that is skipped unless this is `make test-full`.
func onlyFull(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		lab.RequireFull(t)
		test(t)
	}
}

// upgradeInPlace upgrades a mesh to this version under load, and calls meanwhile during the upgrade.
func upgradeInPlace(t *testing.T, s shop, meanwhile func()) {
	t.Helper()
	m := s.mesh
	byRevision, _, err := s.sidecars(t.Context())
	lab.Must(t, err)
	if byRevision[m.revision(cluster.Earlier)] != totalSidecars {
		t.Fatalf("the sidecars by revision are %v, want %d of %s", byRevision, totalSidecars, m.revision(cluster.Earlier))
	}
	running := s.startTraffic(0)
	m.change(`{"version":"` + cluster.Version + `"}`)
	meanwhile()
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Earlier, cluster.Version)
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
	s.checkUpgradedExcept(t, buyer, archive, bookbuyer)
	// In each pair, client and server have sidecars of different versions.
	s.checkRequests(t, "cart", archive)
	s.checkRequests(t, buyer, archive)
	s.checkRequests(t, buyer, store)
	running.stop("in-place upgrade")
}

// checkUpgradedExcept requires the sidecars of all apps to have this version, except for some, which the status counts as
// outdated.
func (s shop) checkUpgradedExcept(t *testing.T, exceptions ...string) {
	t.Helper()
	old := map[string]bool{}
	for _, app := range exceptions {
		old[app] = true
	}
	_, ofApp, err := s.sidecars(t.Context())
	lab.Must(t, err)
	for app, revision := range ofApp {
		want := s.mesh.revision(cluster.Version)
		if old[app] {
			want = s.mesh.revision(cluster.Earlier)
		}
		if revision != want {
			t.Errorf("the sidecar of %s has revision %s, want %s", app, revision, want)
		}
	}
	lab.Eventually(t, 20*time.Second, "the status counts the outdated sidecars", func(ctx context.Context) (bool, string, error) {
		live, err := s.mesh.read(ctx)
		if err != nil || live.Status.Proxies == nil {
			return false, "no count", err
		}
		p := live.Status.Proxies
		return p.Total == totalSidecars && p.Outdated == int32(len(exceptions)) && live.Status.Upgrade == nil, fmt.Sprintf("%+v", *p), nil
	})
}
