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
	"github.com/openservicemesh/osm-operator/internal/names"
)

// bad is a version that a mesh must return from by itself.
type bad struct {
	fault string
	// gates are the gates of which one must have failed.
	gates []string
	// mayFail is how many requests may fail until the mesh has returned.
	mayFail int
}

// returnsFrom moves a mesh that runs this version to a faulty one, under traffic, and waits until it has returned, while something else
// happens.
func returnsFrom(t *testing.T, s shop, b bad, meanwhile func()) {
	t.Helper()
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	must(t, err)
	running := s.start(b.mayFail)
	// One restart of a control plane that never gets up is enough to know, and sidecars report their requests every five seconds.
	m.change(`{"version":"` + faulty(b.fault) + `","upgrade":{"gates":{"maxRestarts":0,"soak":"15s"}}}`)
	meanwhile()
	s.hasReturned(t, b)
	running.stop("return from " + b.fault)
	// Whoever lost a connection on the way is back.
	after := s.start(0)
	time.Sleep(calm)
	after.stop("after the return from " + b.fault)
	if now, _, err := s.sidecars(t.Context()); err != nil || fmt.Sprint(now) != fmt.Sprint(sidecars) {
		t.Errorf("the sidecars are %v (%v), want those from before: %v", now, err, sidecars)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// hasReturned waits until a faulty version was given up because of one of its gates, and this one runs.
func (s shop) hasReturned(t *testing.T, b bad) {
	t.Helper()
	entry := s.mesh.ends(v1alpha1.ResultRolledBack, cluster.Version, faulty(b.fault))
	if !slices.ContainsFunc(b.gates, func(gate string) bool { return strings.Contains(entry.Reason, gate) }) {
		t.Errorf("the history says %q, which names none of the gates %v", entry.Reason, b.gates)
	}
	s.runs(t, cluster.Version)
	must(t, cluster.Available(t.Context(), podLimit, s.mesh.namespace()))
}

// calm is how long traffic is watched after a return: it is the thing under test that nothing happens.
const calm = 10 * time.Second

// runs waits until the Deployments of the control plane are of a version.
func (s shop) runs(t *testing.T, version string) {
	t.Helper()
	must(t, lab.Until(t.Context(), podLimit, "the control plane is of "+version, func(ctx context.Context) (bool, string, error) {
		for _, component := range []string{names.Controller, names.Injector} {
			d := &appsv1.Deployment{}
			if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.mesh.namespace(), Name: component}, d); err != nil {
				return false, "", err
			}
			if is := d.Labels[names.VersionLabel]; is != version {
				return false, component + " is of " + is, nil
			}
		}
		return true, "", nil
	}))
}
