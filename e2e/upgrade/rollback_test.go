package upgrade

import (
	"context"
	"fmt"
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

// returnsFrom moves a mesh that runs this version to a faulty one, under traffic, and waits until it has returned.
func returnsFrom(t *testing.T, s shop, b bad) {
	t.Helper()
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	must(t, err)
	running := s.start()
	// One restart of a control plane that never gets up is enough to know, and sidecars report their requests every five seconds.
	m.change(`{"version":"` + faulty(b.fault) + `","upgrade":{"gates":{"maxRestarts":0,"soak":"15s"}}}`)
	entry := m.ends(v1alpha1.ResultRolledBack, cluster.Version, faulty(b.fault))
	if !strings.Contains(entry.Reason, b.gates[0]) && (len(b.gates) < 2 || !strings.Contains(entry.Reason, b.gates[1])) {
		t.Errorf("the history says %q, which names none of the gates %v", entry.Reason, b.gates)
	}
	s.runs(t, cluster.Version)
	must(t, cluster.Available(t.Context(), podLimit, m.namespace()))
	running.stop("return from "+b.fault, b.mayFail)
	// Whoever lost a connection on the way is back.
	after := s.start()
	time.Sleep(calm)
	after.stop("after the return from "+b.fault, 0)
	if now, _, err := s.sidecars(t.Context()); err != nil || fmt.Sprint(now) != fmt.Sprint(sidecars) {
		t.Errorf("the sidecars are %v (%v), want those from before: %v", now, err, sidecars)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
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
