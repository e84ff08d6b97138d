package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/values"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// upgradeOptions are the flags of the mesh upgrade command.
type upgradeOptions struct {
	mesh     string
	version  string
	sets     []string
	timeout  time.Duration
	strategy strategyFlags
}

func (a *app) meshUpgradeCommand() *cobra.Command {
	var o upgradeOptions
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a mesh",
		Long: `Set spec.version of the Mesh, and wait until the mesh runs this version. The default is the version of this program. --set also
changes values of OSM's Helm chart; other values are kept. If the operator rejects the version, the command restores the Mesh and
prints the reason.

With --strategy canary, the new version first runs as a canary for the namespaces selected by --canary-namespaces. If all gates pass,
it is promoted. The strategy is stored in the Mesh and applies to later upgrades.

Existing sidecars keep running. Pods get the new sidecar version when they are restarted.`,
		Example: `  osm mesh upgrade --version v0.4.0
  osm mesh upgrade --version v0.4.0 --strategy canary --canary-namespaces kubernetes.io/metadata.name=shop
  osm mesh upgrade --mesh-name osm --set=osm.enablePermissiveTrafficPolicy=false`,
		Hidden: a.settings.Install.Kind == managed,
	}
	cmd.RunE = a.run(func(ctx context.Context, _ []string) error {
		if selected, _ := o.strategy.selected(); selected == v1alpha1.StrategyCanary && !cmd.Flags().Changed("timeout") {
			o.timeout = canaryTimeout
		}
		return a.upgrade(ctx, o)
	})
	f := cmd.Flags()
	o.strategy.addTo(f)
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.version, "version", "", "control plane version, such as v0.4.0 (default: the version of this program)")
	f.StringArrayVar(&o.sets, "set", nil, "value of OSM's Helm chart, name=value; can be repeated, or several separated by commas")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "time to wait until the mesh runs the new version; the default is 1h with --strategy canary")
	addChartPath(f)
	return cmd
}

// canaryTimeout is the default timeout of a canary upgrade, which includes the soak time.
const canaryTimeout = time.Hour

func (a *app) upgrade(ctx context.Context, o upgradeOptions) error {
	if a.settings.Install.Kind == managed {
		return errors.New("cannot upgrade OSM in a managed environment: install.kind in the configuration file is managed")
	}
	_, err := values.Changes(o.mesh, o.sets)
	if err := errors.Join(err, o.strategy.check()); err != nil {
		return err
	}
	c, m, err := a.open(ctx, o.mesh)
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
		return fmt.Errorf("mesh %s in namespace %s has no Mesh object: upgrade it with the tool that installed it, or uninstall it and run `osm install`", m.Name, m.Namespace)
	}
	if o.version == "" && version.Version == "dev" {
		return errors.New("missing --version: this program is a development build")
	}
	o.version = cmp.Or(o.version, version.Version)
	changes.Mesh.Spec.Version = &o.version
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	p := a.progress()
	if err := a.changeMesh(ctx, c, changes, o.strategy, p); err != nil {
		return err
	}
	a.line("OSM successfully upgraded mesh [%s] in namespace [%s]", m.Name, m.Namespace)
	a.note("Upgraded to version %s in %s. Pods get the new sidecar version when they are restarted.", o.version, p.elapsed())
	return nil
}

// changeMesh patches a Mesh, waits until it is reconciled, and then patches its MeshConfig. It restores the Mesh if the operator
// rejects the change.
func (a *app) changeMesh(ctx context.Context, c client.Client, changes *values.Declaration, strategy strategyFlags, p *progress) error {
	live := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(changes.Mesh), live); err != nil {
		return err
	}
	before := live.DeepCopy()
	patch, err := specPatch(changes.Mesh.Spec, strategy, live.Spec.Upgrade)
	if err != nil {
		return err
	}
	if err := c.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), fieldOwner); err != nil {
		return fmt.Errorf("patch Mesh %s: %w", live.Name, a.kube.Sentence(err))
	}
	changes.Mesh = live
	p.setQuiet(true) // its messages are long, so only changes are of interest
	rejection, err := a.waitForChange(ctx, c, live, p)
	p.setQuiet(false)
	if err != nil {
		return withRollbackCommand(err, before, live)
	}
	if rejection != "" {
		return a.restoreMesh(ctx, c, before, live, rejection)
	}
	if changes.MeshConfig == nil {
		return nil
	}
	done, err := a.configure(ctx, c, changes)
	if err == nil && !done {
		return fmt.Errorf("no MeshConfig found in namespace %s: see `osm check`", namespaceOf(live))
	}
	return err
}

// withRollbackCommand adds to the error of an upgrade how to return to the version that ran before.
func withRollbackCommand(err error, before, live *v1alpha1.Mesh) error {
	earlier := before.Status.Version
	if earlier == "" || live.Spec.Version == nil || *live.Spec.Version == earlier {
		return err
	}
	return fmt.Errorf("%w. To go back, run `osm mesh upgrade --mesh-name %s --version %s`", err, live.Name, earlier)
}

// specPatch returns the merge patch for the changed fields of a Mesh.
func specPatch(changes v1alpha1.MeshSpec, strategy strategyFlags, live *v1alpha1.UpgradeSpec) ([]byte, error) {
	text, err := json.Marshal(changes)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	upgrade, err := strategy.patch(live)
	if err != nil {
		return nil, err
	}
	if upgrade != nil {
		spec["upgrade"] = upgrade
	}
	return json.Marshal(map[string]any{"spec": spec})
}

// waitForChange waits until a Mesh is reconciled. rejection is the operator's reason if the Mesh is Stalled.
func (a *app) waitForChange(ctx context.Context, c client.Client, m *v1alpha1.Mesh, p *progress) (rejection string, err error) {
	last := "the operator has not reconciled it yet: check that it runs (kubectl get pods -A -l app=osm-operator)"
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != m.Generation {
			p.report("%s", last)
			return false, nil
		}
		last = ready.Reason + ": " + ready.Message
		p.report("%s", last)
		if meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionStalled) {
			rejection = last
			return true, nil
		}
		return ready.Status == metav1.ConditionTrue && (m.Spec.Version == nil || m.Status.Version == *m.Spec.Version), nil
	})
	return rejection, timedOut(err, "mesh %s has not reached the new version after %s: %s\nThe operator keeps retrying: see `osm status`", m.Name, p.elapsed(), last)
}

// restoreMesh restores the earlier spec of a Mesh.
func (a *app) restoreMesh(ctx context.Context, c client.Client, before, live *v1alpha1.Mesh, rejection string) error {
	changed := live.DeepCopy()
	live.Spec = before.Spec
	if err := c.Patch(ctx, live, client.MergeFrom(changed), fieldOwner); err != nil {
		return fmt.Errorf("the operator rejected the upgrade: %s\nRestoring the Mesh failed: %w", rejection, a.kube.Sentence(err))
	}
	return fmt.Errorf("the operator rejected the upgrade: %s\nThe Mesh was restored", rejection)
}

// strategyFlags select the upgrade strategy.
type strategyFlags struct {
	strategy, namespaces string
}

func (f *strategyFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.strategy, "strategy", "", "upgrade strategy: in-place or canary (default: the strategy of the Mesh)")
	flags.StringVar(&f.namespaces, "canary-namespaces", "", "label selector for the canary namespaces, such as stage=early; requires --strategy canary")
}

// selected returns the selected strategy, or "" if none is selected.
func (f *strategyFlags) selected() (v1alpha1.UpgradeStrategyType, error) {
	selected, known := strategies[strings.ToLower(strings.ReplaceAll(f.strategy, "-", ""))]
	if !known {
		return "", fmt.Errorf("invalid --strategy %q: must be in-place or canary", f.strategy)
	}
	return selected, nil
}

// strategies maps the values of the flag --strategy, in lower case and without hyphens. The empty value means that the flag is not set.
var strategies = map[string]v1alpha1.UpgradeStrategyType{"": "", "canary": v1alpha1.StrategyCanary, "inplace": v1alpha1.StrategyInPlace}

// check validates the flags.
func (f *strategyFlags) check() error {
	selected, err := f.selected()
	if err == nil && f.namespaces != "" && selected != v1alpha1.StrategyCanary {
		return errors.New("--canary-namespaces requires --strategy canary")
	}
	if _, parsed := metav1.ParseToLabelSelector(f.namespaces); err == nil && parsed != nil {
		return fmt.Errorf("invalid --canary-namespaces %q: must be a label selector such as stage=early or kubernetes.io/metadata.name=shop: %w", f.namespaces, parsed)
	}
	return err
}

// patch is what the flags change in spec.upgrade of a Mesh, as a JSON merge patch; nil for nothing. live is the present value in the Mesh.
// Canary namespaces of an earlier upgrade do not remain selected.
func (f *strategyFlags) patch(live *v1alpha1.UpgradeSpec) (map[string]any, error) {
	selected, err := f.selected()
	if err != nil || selected == "" {
		return nil, err
	}
	strategy := map[string]any{"type": string(selected)}
	declared := live != nil && live.Strategy != nil && live.Strategy.Canary != nil
	switch {
	case selected == v1alpha1.StrategyInPlace:
		strategy["canary"] = nil
	case f.namespaces == "" && !declared:
		return nil, errors.New("--strategy canary requires --canary-namespaces, a label selector such as kubernetes.io/metadata.name=shop")
	case f.namespaces != "":
		var before map[string]string
		if declared {
			before = live.Strategy.Canary.NamespaceSelector.MatchLabels
		}
		selector, err := replaced(before, f.namespaces)
		if err != nil {
			return nil, err
		}
		strategy["canary"] = map[string]any{"namespaceSelector": selector}
	}
	return map[string]any{"strategy": strategy}, nil
}

// replaced returns a merge patch that replaces a selector with the labels before by the selector in text.
func replaced(before map[string]string, text string) (map[string]any, error) {
	selector, err := metav1.ParseToLabelSelector(text)
	if err != nil {
		return nil, err
	}
	after, err := runtime.DefaultUnstructuredConverter.ToUnstructured(selector)
	if err != nil {
		return nil, err
	}
	labels := map[string]any{}
	for label := range before {
		labels[label] = nil
	}
	for label, value := range selector.MatchLabels {
		labels[label] = value
	}
	after["matchLabels"] = labels
	if len(selector.MatchExpressions) == 0 {
		after["matchExpressions"] = nil
	}
	return after, nil
}
