package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/values"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/version"
)

// upgradeOptions are the flags of mesh upgrade.
type upgradeOptions struct {
	mesh    string
	version string
	sets    []string
	timeout time.Duration
	way     strategyFlags
}

func (a *app) meshUpgradeCommand() *cobra.Command {
	var o upgradeOptions
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a mesh to another version",
		Long: `Sets spec.version of the Mesh, and waits until the operator has brought the control plane there. Without --version it is the
version of this program. --set changes other values on the way, by the names of OSM's chart; values that are not named stay as
they are. When the operator refuses the version, the Mesh is set back, and its reason is told.

With --strategy canary the new version first runs beside the old one, for the namespaces that --canary-namespaces selects; when it
is well there, it takes the place of the old one. Both stay in the Mesh for later upgrades, until --strategy in-place.

Sidecars keep running, and get the new version's when their pods are restarted.`,
		Example: `  osm mesh upgrade --version v0.2.0
  osm mesh upgrade --version v0.2.0 --strategy canary --canary-namespaces kubernetes.io/metadata.name=shop
  osm mesh upgrade --mesh-name osm --set=osm.enablePermissiveTrafficPolicy=false`,
		Args:   exactly(0, ""),
		Hidden: a.settings.Install.Kind == managed,
	}
	cmd.RunE = a.run(func(ctx context.Context, _ []string) error {
		if wanted, _ := o.way.wanted(); wanted == v1alpha1.StrategyCanary && !cmd.Flags().Changed("timeout") {
			o.timeout = canaryTimeout
		}
		return a.upgrade(ctx, o)
	})
	f := cmd.Flags()
	o.way.addTo(f)
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.version, "version", "", "version of the control plane, such as v0.1.0 (default: that of this program)")
	f.StringArrayVar(&o.sets, "set", nil, "value of OSM's chart to change, name=value; may be repeated, or several separated by commas")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until the new version runs; 1h with --strategy canary, when nothing else is said")
	addChartPath(f)
	return cmd
}

// canaryTimeout is how long a canary may take: it is watched for a while before it takes the place of the old version.
const canaryTimeout = time.Hour

func (a *app) upgrade(ctx context.Context, o upgradeOptions) error {
	if a.settings.Install.Kind == managed {
		return errors.New("this cluster's mesh is managed by somebody else (install.kind in the file of settings is managed), so it is not upgraded here")
	}
	_, err := values.Changes(o.mesh, o.sets)
	if err := errors.Join(err, o.way.check()); err != nil {
		return err
	}
	c, m, err := a.open(ctx, o.mesh, nil)
	if err != nil {
		return err
	}
	changes, err := values.Changes(m.Name, o.sets)
	if err != nil {
		return err
	}
	for _, note := range changes.Notes {
		a.note("Note: %s.", note)
	}
	if !m.Declared {
		return fmt.Errorf("the mesh %s in namespace %s is not declared by a Mesh: upgrade it with the program that installed it, or uninstall it and use `osm install`", m.Name, m.Namespace)
	}
	if o.version == "" && version.Version == "dev" {
		return errors.New("this program is no release, so it has no version to upgrade to: name one with --version")
	}
	if o.version == "" {
		o.version = version.Version
	}
	changes.Mesh.Spec.Version = &o.version
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	p := a.progress()
	if err := a.changeMesh(ctx, c, changes, o.way, p); err != nil {
		return err
	}
	a.line("OSM successfully upgraded mesh [%s] in namespace [%s]", m.Name, m.Namespace)
	a.note("It runs version %s; it took %s. Pods get that version's sidecar when they are restarted.", o.version, p.elapsed())
	return nil
}

// changeMesh changes a Mesh, waits until the change is done, and then changes its MeshConfig. What the operator refuses is taken
// back.
func (a *app) changeMesh(ctx context.Context, c client.Client, changes *values.Declaration, way strategyFlags, p *progress) error {
	live := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(changes.Mesh), live); err != nil {
		return err
	}
	before := live.DeepCopy()
	patch, err := specPatch(changes.Mesh.Spec, way, live.Spec.Upgrade)
	if err != nil {
		return err
	}
	if err := c.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), fieldOwner); err != nil {
		return fmt.Errorf("the Mesh %s cannot be changed: %w", live.Name, a.kube.Sentence(err))
	}
	changes.Mesh = live
	refusal, err := a.awaitChange(ctx, c, live, p)
	if err != nil {
		return err
	}
	if refusal != "" {
		return a.takeBack(ctx, c, before, live, refusal)
	}
	if changes.MeshConfig == nil {
		return nil
	}
	done, err := a.configure(ctx, c, changes)
	if err == nil && !done {
		return fmt.Errorf("the namespace %s has no MeshConfig to change: see `osm check`", namespaceOf(live))
	}
	return err
}

// specPatch is the merge patch that changes what is named, and leaves the rest of a Mesh as it is.
func specPatch(changes v1alpha1.MeshSpec, way strategyFlags, live *v1alpha1.UpgradeSpec) ([]byte, error) {
	text, err := json.Marshal(changes)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	upgrade, err := way.patch(live)
	if err != nil {
		return nil, err
	}
	if upgrade != nil {
		spec["upgrade"] = upgrade
	}
	return json.Marshal(map[string]any{"spec": spec})
}

// awaitChange waits until a Mesh is as it is declared; refusal is the operator's reason when it will not be.
func (a *app) awaitChange(ctx context.Context, c client.Client, m *v1alpha1.Mesh, p *progress) (refusal string, err error) {
	last := "the operator has not looked at it yet: is it running? (kubectl -n " + names.OperatorNamespace + " get pods)"
	err = wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != m.Generation {
			p.say("%s", last)
			return false, nil
		}
		last = ready.Reason + ": " + ready.Message
		p.say("%s", last)
		if meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionStalled) {
			refusal = last
			return true, nil
		}
		return ready.Status == metav1.ConditionTrue && (m.Spec.Version == nil || m.Status.Version == *m.Spec.Version), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the mesh %s has not reached its new version after %s: %s\nThe operator goes on trying: follow it with `osm status`", m.Name, p.elapsed(), last)
	}
	return refusal, err
}

// takeBack gives a Mesh the spec that it had.
func (a *app) takeBack(ctx context.Context, c client.Client, before, live *v1alpha1.Mesh, refusal string) error {
	changed := live.DeepCopy()
	live.Spec = before.Spec
	if err := c.Patch(ctx, live, client.MergeFrom(changed), fieldOwner); err != nil {
		return fmt.Errorf("the operator refuses this upgrade: %s\nThe Mesh could not be set back: %w", refusal, a.kube.Sentence(err))
	}
	return fmt.Errorf("the operator refuses this upgrade: %s\nThe Mesh is as it was before", refusal)
}
