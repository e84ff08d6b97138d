package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// faultyVersion is a version that a mesh must roll back automatically.
type faultyVersion struct {
	fault string
	// gates are gates of which at least one must fail.
	gates []string
	// maxFailures is the number of requests that may fail until the rollback is complete.
	maxFailures int
}

// testRollback upgrades a mesh to a faulty version under load, and waits for the rollback. meanwhile is called in
// between.
func testRollback(t *testing.T, s shop, b faultyVersion, meanwhile func()) {
	t.Helper()
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	lab.Must(t, err)
	running := s.startTraffic(b.maxFailures)
	// One restart of a crashing control plane fails the gate. Sidecars report their requests every five seconds.
	m.change(`{"version":"` + faulty(b.fault) + `","upgrade":{"gates":{"maxRestarts":0,"soak":"15s"}}}`)
	meanwhile()
	s.awaitRollback(t, b)
	running.stop("rollback from " + b.fault)
	// Clients that lost a connection have reconnected.
	after := s.startTraffic(0)
	time.Sleep(observationTime)
	after.stop("after the rollback from " + b.fault)
	if now, _, err := s.sidecars(t.Context()); err != nil || fmt.Sprint(now) != fmt.Sprint(sidecars) {
		t.Errorf("the sidecars by revision are %v (%v), want %v as before", now, err, sidecars)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// awaitRollback waits until a faulty version was rolled back because of one of its gates, and this version runs.
func (s shop) awaitRollback(t *testing.T, b faultyVersion) {
	t.Helper()
	entry := s.mesh.awaitResult(v1alpha1.ResultRolledBack, cluster.Version, faulty(b.fault))
	if !slices.ContainsFunc(b.gates, func(gate string) bool { return strings.Contains(entry.Reason, gate) }) {
		t.Errorf("the reason in the history is %q, want one of the gates %v in it", entry.Reason, b.gates)
	}
	s.awaitControlPlane(t, cluster.Version)
	lab.Must(t, cluster.Available(t.Context(), podLimit, s.mesh.namespace()))
}

// observationTime is how long traffic is observed after a rollback, to prove that no request fails.
const observationTime = 10 * time.Second

// awaitControlPlane waits until the Deployments of the control plane have a version.
func (s shop) awaitControlPlane(t *testing.T, version string) {
	t.Helper()
	lab.Eventually(t, podLimit, "the control plane has version "+version, func(ctx context.Context) (bool, string, error) {
		for _, component := range []string{names.Controller, names.Injector} {
			d := &appsv1.Deployment{}
			if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.mesh.namespace(), Name: component}, d); err != nil {
				return false, "", err
			}
			if is := d.Labels[names.VersionLabel]; is != version {
				return false, component + " has version " + is, nil
			}
		}
		return true, "", nil
	})
}
