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

// manifest is a Mesh whose upgrades do not take long. It denies by default.
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
	// moved is when it was last told to go to another version.
	moved *time.Time
}

// newMesh makes a Mesh of a version, waits until it is ready, and removes it after the test.
// Meanwhile something may happen.
func newMesh(t *testing.T, name, version string, meanwhile ...func(mesh)) mesh {
	t.Helper()
	m := mesh{t, name, new(time.Time)}
	text := fmt.Sprintf(manifest, name, version)
	// A run that was killed has left its own, of another version.
	must(t, cluster.Remove(t.Context(), text))
	must(t, m.deleteNamespaces(t.Context()))
	must(t, m.gone(t.Context()))
	must(t, cluster.Put(t.Context(), text))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(m.describe(ctx))
		}
		if err := cluster.Remove(ctx, text); err != nil {
			t.Error(err)
		}
		if err := m.gone(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, happens := range meanwhile {
		happens(m)
	}
	must(t, cluster.MeshReady(t.Context(), name, installLimit))
	return m
}

// workloads are the namespaces of its workloads.
func (m mesh) workloads() []string {
	namespaces := []string{m.shop()}
	for _, name := range bookNamespaces {
		namespaces = append(namespaces, m.name+"-"+name)
	}
	return namespaces
}

// deleteNamespaces deletes those of the workloads and waits.
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

// namespace is where the control plane runs.
func (m mesh) namespace() string { return m.name + "-system" }

// shop is the namespace of the workloads.
func (m mesh) shop() string { return m.name + "-shop" }

// revision is the name of the mesh's MeshRevision of a version.
func (m mesh) revision(version string) string {
	return m.name + "-" + strings.ReplaceAll(version, ".", "-")
}

// read reads the Mesh.
func (m mesh) read(ctx context.Context) (*v1alpha1.Mesh, error) {
	live := &v1alpha1.Mesh{}
	return live, cluster.Client.Get(ctx, client.ObjectKey{Name: m.name}, live)
}

// change merges a JSON text into the spec.
func (m mesh) change(spec string) {
	m.t.Helper()
	if strings.Contains(spec, `"version"`) {
		*m.moved = time.Now()
	}
	must(m.t, cluster.Patch(m.t.Context(), &v1alpha1.Mesh{ObjectMeta: objectNamed("", m.name)}, `{"spec":`+spec+`}`))
}

// ends waits until the newest element of the history is an upgrade with a result that ended since the version was changed, and returns it. The phases on the way there are
// logged with the moments at which they were seen.
func (m mesh) ends(result, from, to string) v1alpha1.HistoryEntry {
	m.t.Helper()
	start, last := time.Now(), ""
	var entry v1alpha1.HistoryEntry
	must(m.t, lab.Until(m.t.Context(), upgradeLimit, "the upgrade from "+from+" to "+to+" "+result, func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		if now := told(live); now != last {
			m.t.Logf("%5.1fs %s", time.Since(start).Seconds(), now)
			last = now
		}
		if len(live.Status.History) == 0 {
			return false, last, nil
		}
		entry = live.Status.History[0]
		// The history tells whole seconds.
		late := !entry.Ended.Time.Before(m.moved.Truncate(time.Second))
		return late && entry.Result == result && entry.From == from && entry.Version == to, last, nil
	}))
	m.t.Logf("%5.1fs %s from %s to %s: %s", time.Since(start).Seconds(), entry.Result, entry.From, entry.Version, entry.Reason)
	return entry
}

// reaches waits for a phase of an upgrade.
func (m mesh) reaches(phase string) {
	m.t.Helper()
	must(m.t, lab.Until(m.t.Context(), upgradeLimit, "phase "+phase, func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		return live.Status.Upgrade != nil && live.Status.Upgrade.Phase == phase, told(live), nil
	}))
}

// told is what the status says of an upgrade.
func told(live *v1alpha1.Mesh) string {
	u := live.Status.Upgrade
	if u == nil {
		return "no upgrade"
	}
	return fmt.Sprintf("%s to %s: %.300s", u.Phase, u.To, u.Message)
}

// describe says what can be seen of the mesh, for the report of a failed test.
func (m mesh) describe(ctx context.Context) string {
	live, err := m.read(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s; %s\n%+v\n%s", told(live), lab.Conditions(live.Status.Conditions), live.Status.History, cluster.ControlPlaneLogs(ctx, m.namespace()))
}

// gone waits until the Mesh is removed.
func (m mesh) gone(ctx context.Context) error {
	return lab.Until(ctx, 90*time.Second, "Mesh "+m.name+" is gone", func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if client.IgnoreNotFound(err) != nil {
			return false, "", err
		}
		return err != nil, lab.Conditions(live.Status.Conditions), nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
