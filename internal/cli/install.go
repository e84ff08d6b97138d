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
	"github.com/openservicemesh/osm-operator/controllers/operator/adopt"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/values"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// fieldOwner is the name under which this program owns fields of objects.
const fieldOwner = client.FieldOwner("osm-cli")

// glance is how often something that is waited for is looked at.
const glance = 500 * time.Millisecond

// installOptions are the flags of install.
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
		Long: `Declares a Mesh and waits until it runs; the operator does the work. With --operator, the operator itself is installed
first, from the manifests in this program.

A mesh made by this command starts as those of OSM do: permissive, and open to the outside. Both are written into the Mesh
(spec.traffic), where they can be changed. --set takes the values of OSM's chart; one that no field of the Mesh or the
MeshConfig stands for is refused, with what to use instead.

What an Open Service Mesh has left in the namespace is taken over: its MeshConfig, its certificate authority, and every
policy; docs/migration.md has the steps. Over a MeshConfig that exists, only what --set names is declared.`,
		Example: `  # Everything that is needed, on a cluster that has nothing.
  osm install --operator

  # What no policy allows is denied; the way out is closed.
  osm install --set=osm.enablePermissiveTrafficPolicy=false,osm.enableEgress=false

  # Print the Mesh for a repository, and change nothing.
  osm install --dry-run > mesh.yaml`,
		Args:   exactly(0, ""),
		Hidden: a.settings.Install.Kind == managed,
		RunE:   a.run(func(ctx context.Context, _ []string) error { return a.install(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.mesh, "mesh-name", names.DefaultMesh, "name of the new mesh")
	f.StringArrayVar(&o.sets, "set", nil, "value of OSM's chart, name=value; may be repeated, or several separated by commas")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until the mesh runs")
	f.BoolVar(&o.atomic, "atomic", false, "remove the Mesh again when it does not run in time")
	f.BoolVar(&o.single, "enforce-single-mesh", true, "refuse when the cluster has a mesh already")
	f.BoolVar(&o.operator, "operator", false, "install or renew the operator first")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be declared, and change nothing")
	addChartPath(f)
	return cmd
}

// addChartPath adds OSM's flag for another chart, so that scripts which name one go on working and are told.
func addChartPath(f *pflag.FlagSet) {
	f.String("osm-chart-path", "", "has no effect: there is no chart")
	_ = f.MarkDeprecated("osm-chart-path", "the operator installs meshes without a chart")
}

func (a *app) install(ctx context.Context, o installOptions) error {
	if a.settings.Install.Kind == managed {
		return errors.New("this cluster's mesh is managed by somebody else (install.kind in the file of settings is managed), so it is not installed here")
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
	if err := a.refuseSecondMesh(ctx, c, declared.Mesh.Name, o.single); err != nil {
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
		return fmt.Errorf("the Mesh %s cannot be created: %w", declared.Mesh.Name, a.kube.Sentence(err))
	}
	if err := a.awaitMesh(ctx, c, declared, p); err != nil {
		return a.giveUp(c, declared.Mesh, o, err)
	}
	a.line("OSM installed successfully in namespace [%s] with mesh name [%s]", namespaceOf(declared.Mesh), declared.Mesh.Name)
	a.note("It took %s. Put namespaces into the mesh with `osm namespace add`.", p.elapsed())
	return nil
}

// declare is what is to be installed: with OSM's presets, or, over a MeshConfig that exists, with what the flags say alone.
func (a *app) declare(ctx context.Context, o installOptions) (*values.Declaration, error) {
	declared, err := values.Translate(o.mesh, a.kube.OSMNamespace, o.sets)
	if err != nil {
		return nil, err
	}
	c, err := a.kube.Client()
	if err != nil {
		// What needs the cluster says so itself; printing a declaration does not.
		return declared, nil
	}
	ctx, cancel := context.WithTimeout(ctx, inheritTimeout)
	defer cancel()
	found := &configv1alpha2.MeshConfig{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespaceOf(declared.Mesh), Name: names.MeshConfig}, found); err != nil {
		return declared, nil
	}
	a.note("Note: the MeshConfig in namespace %s exists and is kept (permissive mode %t, egress %t): only what --set names is changed.",
		found.Namespace, found.Spec.Traffic.EnablePermissiveTrafficPolicyMode, found.Spec.Traffic.EnableEgress)
	return values.Inherit(o.mesh, a.kube.OSMNamespace, o.sets)
}

// inheritTimeout is for asking a cluster that may not be there whether it has a MeshConfig.
const inheritTimeout = 5 * time.Second

func (a *app) printDeclaration(d *values.Declaration) error {
	text, err := yaml.Marshal(map[string]any{"apiVersion": d.Mesh.APIVersion, "kind": d.Mesh.Kind, "metadata": map[string]any{"name": d.Mesh.Name}, "spec": d.Mesh.Spec})
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

// refuseSecondMesh keeps a mesh from being declared twice, and from being the second one unless that is wanted.
func (a *app) refuseSecondMesh(ctx context.Context, c client.Client, name string, single bool) error {
	all, err := a.meshes(ctx, c)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !m.Declared && (single || m.Name == name) {
			running := adopt.Running{Namespace: m.Namespace, Mesh: m.Name}
			return fmt.Errorf("an Open Service Mesh that no Mesh declares runs in namespace %s, with the mesh name %s: remove it with %s, and install again; docs/migration.md has the steps", m.Namespace, m.Name, running.Remedy())
		}
	}
	if hasMesh(all, name) {
		return fmt.Errorf("Mesh [%s] already exists in cluster. Please specify a new mesh name using --mesh-name, or change the one that exists with `kubectl edit mesh %s`", name, name) //nolint:staticcheck // the sentence that users of OSM know
	}
	if single && len(all) > 0 {
		return fmt.Errorf("the cluster already has the mesh %s in namespace %s: add --enforce-single-mesh=false to install a second one", all[0].Name, all[0].Namespace)
	}
	return nil
}

// awaitMesh waits until a mesh runs, and on the way writes what only the MeshConfig can say.
func (a *app) awaitMesh(ctx context.Context, c client.Client, d *values.Declaration, p *progress) error {
	configured := d.MeshConfig == nil
	last := "the operator has not looked at it yet: is it running? (kubectl -n " + names.OperatorNamespace + " get pods)"
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
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
		p.say("%s", last)
		if meta.IsStatusConditionTrue(live.Status.Conditions, v1alpha1.ConditionStalled) {
			return false, fmt.Errorf("the mesh cannot be installed: %s", last)
		}
		return ready.Status == metav1.ConditionTrue && configured, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the mesh %s does not run after %s: %s", d.Mesh.Name, p.elapsed(), last)
	}
	return err
}

// configure writes the fields of the MeshConfig that no Mesh declares, as soon as the operator has made it.
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
		return false, fmt.Errorf("the MeshConfig cannot be set: %w", err)
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

// giveUp removes the Mesh again when that was asked for.
func (a *app) giveUp(c client.Client, m *v1alpha1.Mesh, o installOptions, cause error) error {
	if !o.atomic {
		return fmt.Errorf("%w\nThe Mesh is kept, and the operator goes on trying: follow it with `osm status`, or remove it with `osm uninstall mesh --mesh-name %s`", cause, m.Name)
	}
	// The time of the command is over; removing takes a moment of its own.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Delete(ctx, m); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%w\nThe Mesh could not be removed again: %w", cause, a.kube.Sentence(err))
	}
	return fmt.Errorf("%w\nThe Mesh is removed again, because of --atomic", cause)
}
