package upgrade

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// manifest is a Mesh with fast upgrades. It denies by default.
const manifest = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: %[1]s}
spec:
  namespace: %[1]s-system
  version: %[2]s
  upgrade:
    gates: {soak: 5s, timeout: 4m, maxErrorRateIncrease: "1%%"}
    dataPlane: {maxUnavailable: 50%%, pauseBetween: 2s}
`

// mesh is the Mesh of a scenario.
type mesh struct {
	t    *testing.T
	name string
	// versionChanged is the time of the last change of the version.
	versionChanged *time.Time
}

// newMesh creates a Mesh of a version, waits until it is ready, and removes it after the test. The functions in
// meanwhile are called before it is ready.
func newMesh(t *testing.T, name, version string, meanwhile ...func(mesh)) mesh {
	t.Helper()
	m := mesh{t, name, new(time.Time)}
	text := fmt.Sprintf(manifest, name, version)
	// A killed run may have left a Mesh of another version.
	lab.Must(t, cluster.Remove(t.Context(), text))
	lab.Must(t, m.deleteNamespaces(t.Context()))
	lab.Must(t, m.awaitGone(t.Context()))
	lab.Must(t, cluster.Put(t.Context(), text))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(m.describe(ctx))
		}
		if err := cluster.Remove(ctx, text); err != nil {
			t.Error(err)
		}
		if err := m.awaitGone(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, action := range meanwhile {
		action(m)
	}
	lab.Must(t, cluster.MeshReady(t.Context(), name, installLimit))
	return m
}

// workloads returns the namespaces of the mesh's workloads.
func (m mesh) workloads() []string {
	namespaces := []string{m.shop()}
	for _, name := range bookNamespaces {
		namespaces = append(namespaces, m.name+"-"+name)
	}
	return namespaces
}

// deleteNamespaces deletes the namespaces of the workloads and waits until they are gone.
func (m mesh) deleteNamespaces(ctx context.Context) error {
	for _, namespace := range m.workloads() {
		if err := cluster.DeleteNamespace(ctx, namespace); err != nil {
			return err
		}
	}
	for _, namespace := range m.workloads() {
		if _, err := cluster.HasNamespace(ctx, 2*time.Minute, namespace); err != nil {
			return err
		}
	}
	return nil
}

// namespace returns the namespace of the control plane.
func (m mesh) namespace() string { return m.name + "-system" }

// shop returns the namespace of the workloads.
func (m mesh) shop() string { return m.name + "-shop" }

// revision returns the name of the MeshRevision of a version.
func (m mesh) revision(version string) string {
	return m.name + "-" + strings.ReplaceAll(version, ".", "-")
}

// read reads the Mesh.
func (m mesh) read(ctx context.Context) (*v1alpha1.Mesh, error) {
	live := &v1alpha1.Mesh{}
	return live, cluster.Client.Get(ctx, client.ObjectKey{Name: m.name}, live)
}

// change applies a JSON merge patch to the spec.
func (m mesh) change(spec string) {
	m.t.Helper()
	if strings.Contains(spec, `"version"`) {
		*m.versionChanged = time.Now()
	}
	lab.Must(m.t, cluster.Patch(m.t.Context(), &v1alpha1.Mesh{ObjectMeta: objectNamed("", m.name)}, `{"spec":`+spec+`}`))
}

// awaitResult waits until the newest history entry is an upgrade with a result that completed after the last change of
// the version, and returns it. The phases on the way are logged with their times.
func (m mesh) awaitResult(result v1alpha1.UpgradeResult, from, to string) v1alpha1.HistoryEntry {
	m.t.Helper()
	start, last := time.Now(), ""
	var entry v1alpha1.HistoryEntry
	lab.Eventually(m.t, upgradeLimit, "the upgrade from "+from+" to "+to+" "+string(result), func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		if now := upgradeStatus(live); now != last {
			m.t.Logf("%5.1fs %s", time.Since(start).Seconds(), now)
			last = now
		}
		if len(live.Status.History) == 0 {
			return false, last, nil
		}
		entry = live.Status.History[0]
		// Times in the history have a resolution of one second.
		completedAfterChange := !entry.CompletionTime.Time.Before(m.versionChanged.Truncate(time.Second))
		return completedAfterChange && entry.Result == result && entry.From == from && entry.Version == to, last, nil
	})
	m.t.Logf("%5.1fs %s from %s to %s: %s", time.Since(start).Seconds(), entry.Result, entry.From, entry.Version, entry.Reason)
	return entry
}

// awaitPhase waits for a phase of an upgrade.
func (m mesh) awaitPhase(phase v1alpha1.UpgradePhase) {
	m.t.Helper()
	lab.Eventually(m.t, upgradeLimit, "phase "+string(phase), func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		return live.Status.Upgrade != nil && live.Status.Upgrade.Phase == phase, upgradeStatus(live), nil
	})
}

// upgradeStatus formats the upgrade in the status.
func upgradeStatus(live *v1alpha1.Mesh) string {
	u := live.Status.Upgrade
	if u == nil {
		return "no upgrade"
	}
	return fmt.Sprintf("%s to %s: %.300s", u.Phase, u.To, u.Message)
}

// describe describes the mesh, for the report of a failed test.
func (m mesh) describe(ctx context.Context) string {
	live, err := m.read(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s; %s\n%+v\n%s", upgradeStatus(live), lab.Conditions(live.Status.Conditions), live.Status.History, cluster.ControlPlaneLogs(ctx, m.namespace()))
}

// awaitGone waits until the Mesh is gone.
func (m mesh) awaitGone(ctx context.Context) error {
	return lab.Until(ctx, 90*time.Second, "Mesh "+m.name+" is gone", func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if client.IgnoreNotFound(err) != nil {
			return false, "", err
		}
		return err != nil, lab.Conditions(live.Status.Conditions), nil
	})
}
