package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/values"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fieldOwner is the field manager of this program.
const fieldOwner = client.FieldOwner("osm-cli")

// pollInterval is the interval at which wait loops read objects.
const pollInterval = 500 * time.Millisecond

// installOptions are the flags of the install command.
type installOptions struct {
	mesh     string
	sets     []string
	timeout  time.Duration
	atomic   bool
	single   bool
	operator bool
	dryRun   bool
}

func (a *app) installCommand() *cobra.Command {
	var o installOptions
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install a mesh",
		Long: `Create a Mesh and wait until it is ready. The operator installs the control plane. With --operator, the command installs the
operator first, from the manifests embedded in this program.

As in OSM, the new mesh starts in permissive mode with egress enabled. Both are set in the Mesh (spec.traffic), where you can change
them. --set accepts the values of OSM's Helm chart. Values without an equivalent field in the Mesh or the MeshConfig are rejected with
the alternative.

An existing MeshConfig, certificate authority and policies of OSM are adopted; see docs/migration.md for the steps. If a MeshConfig
exists, only the values of --set are changed.`,
		Example: `  # Install the operator and a mesh.
  osm install --operator

  # Deny all traffic without a policy, and disable egress.
  osm install --set=osm.enablePermissiveTrafficPolicy=false,osm.enableEgress=false

  # Print the Mesh without installing it.
  osm install --dry-run > mesh.yaml`,
		Hidden: a.settings.Install.Kind == managed,
		RunE:   a.run(func(ctx context.Context, _ []string) error { return a.install(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.mesh, "mesh-name", names.DefaultMesh, "name of the new mesh")
	f.StringArrayVar(&o.sets, "set", nil, "value of OSM's Helm chart, name=value; can be repeated, or several separated by commas")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "time to wait until the mesh is ready")
	f.BoolVar(&o.atomic, "atomic", false, "delete the Mesh if it is not ready in time")
	f.BoolVar(&o.single, "enforce-single-mesh", true, "fail if the cluster already has a mesh")
	f.BoolVar(&o.operator, "operator", false, "install or update the operator first")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the objects without applying them")
	addChartPath(f)
	return cmd
}

// addChartPath accepts OSM's flag for a custom chart and marks it as deprecated.
func addChartPath(f *pflag.FlagSet) {
	f.String("osm-chart-path", "", "no effect: the operator does not use a chart")
	_ = f.MarkDeprecated("osm-chart-path", "the operator does not use a chart")
}

func (a *app) install(ctx context.Context, o installOptions) error {
	if a.settings.Install.Kind == managed {
		return errors.New("cannot install OSM in a managed environment: install.kind in the configuration file is managed")
	}
	declared, err := a.declare(ctx, o)
	if err != nil {
		return err
	}
	for _, note := range declared.Notes {
		a.note("Note: %s.", note)
	}
	if o.dryRun {
		return a.printDeclaration(declared)
	}
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	if err := a.rejectSecondMesh(ctx, c, declared.Mesh.Name, o.single); err != nil {
		return err
	}
	p := a.progress()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.operator {
		if err := a.installOperator(ctx, c, p); err != nil {
			return err
		}
	}
	if err := c.Create(ctx, declared.Mesh, fieldOwner); err != nil {
		return fmt.Errorf("create Mesh %s: %w", declared.Mesh.Name, a.kube.Sentence(err))
	}
	if err := a.waitForMesh(ctx, c, declared, p); err != nil {
		return a.handleInstallFailure(c, declared.Mesh, o, err)
	}
	a.line("OSM installed successfully in namespace [%s] with mesh name [%s]", namespaceOf(declared.Mesh), declared.Mesh.Name)
	a.note("Installed in %s. Add namespaces to the mesh with `osm namespace add`.", p.elapsed())
	return nil
}

// declare returns the objects to create. They contain OSM's presets unless a MeshConfig exists.
func (a *app) declare(ctx context.Context, o installOptions) (*values.Declaration, error) {
	declared, err := values.Translate(o.mesh, a.kube.OSMNamespace, o.sets)
	if err != nil {
		return nil, err
	}
	c, err := a.kube.Client()
	if err != nil {
		// Without a cluster, --dry-run still works. Later steps report the error.
		return declared, nil
	}
	ctx, cancel := context.WithTimeout(ctx, inheritTimeout)
	defer cancel()
	found := &configv1alpha2.MeshConfig{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespaceOf(declared.Mesh), Name: names.MeshConfig}, found); err != nil {
		return declared, nil
	}
	a.note("Note: keeping the existing MeshConfig in namespace %s (permissive mode %t, egress %t), changed only by --set.",
		found.Namespace, found.Spec.Traffic.EnablePermissiveTrafficPolicyMode, found.Spec.Traffic.EnableEgress)
	return values.Inherit(o.mesh, a.kube.OSMNamespace, o.sets)
}

// inheritTimeout bounds the lookup of an existing MeshConfig.
const inheritTimeout = 5 * time.Second

func (a *app) printDeclaration(d *values.Declaration) error {
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": d.Mesh.APIVersion, "kind": d.Mesh.Kind,
		"metadata": map[string]any{"name": d.Mesh.Name}, "spec": d.Mesh.Spec,
	})
	if err != nil {
		return err
	}
	a.line("%s", text[:len(text)-1])
	if d.MeshConfig == nil {
		return nil
	}
	text, err = yaml.Marshal(meshConfigPatch(d).Object)
	if err != nil {
		return err
	}
	a.line("---\n%s", text[:len(text)-1])
	return nil
}

// rejectSecondMesh returns an error if the mesh exists, or if single is set and the cluster has any mesh.
func (a *app) rejectSecondMesh(ctx context.Context, c client.Client, name string, single bool) error {
	all, err := a.meshes(ctx, c)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !m.Declared && (single || m.Name == name) {
			running := takeover.Installation{Namespace: m.Namespace, Mesh: m.Name}
			return fmt.Errorf("namespace %s runs an Open Service Mesh (mesh name %s) without a Mesh object: remove it with %s and install again; see docs/migration.md", m.Namespace, m.Name, running.Remedy())
		}
	}
	if hasMesh(all, name) {
		return fmt.Errorf("Mesh [%s] already exists in cluster. Please specify a new mesh name using --mesh-name, or change the existing mesh with `kubectl edit mesh %s`", name, name) //nolint:staticcheck // same message as OSM
	}
	if single && len(all) > 0 {
		return fmt.Errorf("mesh %s already exists in namespace %s: use --enforce-single-mesh=false to install a second mesh", all[0].Name, all[0].Namespace)
	}
	return nil
}

// waitForMesh waits until a mesh is ready. When the MeshConfig appears, it writes the fields that a Mesh does not have.
func (a *app) waitForMesh(ctx context.Context, c client.Client, d *values.Declaration, p *progress) error {
	configured := d.MeshConfig == nil
	last := "the operator has not reconciled it yet: check that it runs (kubectl get pods -A -l app=osm-operator)"
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if !configured {
			var err error
			if configured, err = a.configure(ctx, c, d); err != nil {
				return false, err
			}
		}
		live := &v1alpha1.Mesh{}
		if err := c.Get(ctx, client.ObjectKeyFromObject(d.Mesh), live); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != live.Generation {
			return false, nil
		}
		last = ready.Reason + ": " + ready.Message
		p.report("%s", last)
		if meta.IsStatusConditionTrue(live.Status.Conditions, v1alpha1.ConditionStalled) {
			return false, fmt.Errorf("install mesh: %s", last)
		}
		return ready.Status == metav1.ConditionTrue && configured, nil
	})
	return timedOut(err, "mesh %s is not ready after %s: %s", d.Mesh.Name, p.elapsed(), last)
}

// configure patches the MeshConfig fields that a Mesh does not have. It returns false until the operator has created the MeshConfig.
func (a *app) configure(ctx context.Context, c client.Client, d *values.Declaration) (bool, error) {
	live := &configv1alpha2.MeshConfig{}
	patch := meshConfigPatch(d)
	err := c.Get(ctx, client.ObjectKeyFromObject(patch), live)
	if apierrors.IsNotFound(err) || kube.IsUndefined(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), fieldOwner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("patch MeshConfig: %w", err)
	}
	return true, nil
}

func meshConfigPatch(d *values.Declaration) *unstructured.Unstructured {
	patch := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": configv1alpha2.GroupVersion.String(), "kind": "MeshConfig", "spec": d.MeshConfig,
	}}
	patch.SetNamespace(namespaceOf(d.Mesh))
	patch.SetName(names.MeshConfig)
	return patch
}

// handleInstallFailure deletes the Mesh after a failed installation if --atomic is set.
func (a *app) handleInstallFailure(c client.Client, m *v1alpha1.Mesh, o installOptions, cause error) error {
	if !o.atomic {
		return fmt.Errorf("%w\nThe Mesh is kept and the operator keeps retrying: see `osm status`, or delete it with `osm uninstall mesh --mesh-name %s`", cause, m.Name)
	}
	// The context of the command has expired.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Delete(ctx, m); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%w\nDeleting the Mesh failed: %w", cause, a.kube.Sentence(err))
	}
	return fmt.Errorf("%w\nThe Mesh was deleted because of --atomic", cause)
}
