package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// uninstallOptions are the flags of the uninstall mesh command.
type uninstallOptions struct {
	mesh            string
	force           bool
	clusterWide     bool
	deleteNamespace bool
	operator        bool
	sidecars        string
	timeout         time.Duration
}

func (a *app) uninstallCommand() *cobra.Command {
	var o uninstallOptions
	cmd := &cobra.Command{
		Use:   "mesh",
		Short: "Uninstall a mesh",
		Long: `Remove the namespaces from a mesh, delete the Mesh, and wait until the operator has deleted all resources of the mesh.

The operator waits until no sidecar is left: restart or delete the pods that have one. With --sidecars restart, or if
spec.removal.sidecars of the Mesh is Restart, the operator restarts the workloads in waves. The namespaces are removed from the
mesh afterwards.

CRDs and policies are kept unless --delete-cluster-wide-resources is set.`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.uninstall(ctx, o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.BoolVarP(&o.force, "force", "f", false, "skip the confirmation prompt")
	f.BoolVarP(&o.clusterWide, "delete-cluster-wide-resources", "a", false, "also delete the CRDs of policies, and all policies")
	f.BoolVar(&o.deleteNamespace, "delete-namespace", false, "also delete the namespace of the mesh with everything in it")
	f.BoolVar(&o.operator, "operator", false, "also delete the operator if no other mesh is left")
	f.StringVar(&o.sidecars, "sidecars", "", "how sidecars are removed: restart restarts workloads, wait waits until you restart them (default: the setting of the Mesh)")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "time to wait until the mesh is removed")
	f.Uint16P("local-port", "p", 9091, "no effect; accepted for compatibility with OSM")
	f.String("ca-bundle-secret-name", "osm-ca-bundle", "no effect: the operator deletes its Secret")
	parent := group("uninstall", "Uninstall a mesh", []string{"delete", "del"}, cmd)
	parent.Hidden = a.settings.Install.Kind == managed
	return parent
}

func (a *app) uninstall(ctx context.Context, o uninstallOptions) error {
	if a.settings.Install.Kind == managed {
		return errors.New("OSM CANNOT be uninstalled in a managed environment: install.kind in the configuration file is managed")
	}
	sidecars, known := sidecarRemovals[o.sidecars]
	if !known {
		return fmt.Errorf("invalid --sidecars %q: must be restart or wait", o.sidecars)
	}
	c, all, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		a.line("No OSM control planes found")
	}
	answers := bufio.NewReader(a.In)
	for _, m := range all {
		if o.mesh != "" && m.Name != o.mesh {
			continue
		}
		yes, err := a.confirm(answers, o.force, "--force", fmt.Sprintf("Uninstall OSM [mesh name: %s] in namespace [%s] and/or OSM resources?", m.Name, m.Namespace))
		if err != nil {
			return err
		}
		if !yes {
			continue
		}
		if err := a.removeMesh(ctx, c, m, o, sidecars); err != nil {
			return err
		}
	}
	if o.mesh != "" && !hasMesh(all, o.mesh) {
		return noSuchMesh(o.mesh, all)
	}
	return a.removeSharedResources(ctx, c, o)
}

func hasMesh(all []mesh, name string) bool {
	return slices.ContainsFunc(all, func(m mesh) bool { return m.Name == name })
}

// confirm prompts for y or n, up to three times, unless the flag that skips it is set.
func (a *app) confirm(answers *bufio.Reader, skip bool, flag, question string) (bool, error) {
	if skip {
		return true, nil
	}
	a.progress().setQuiet(true)
	defer a.progress().setQuiet(false)
	for range 3 {
		fmt.Fprintf(a.Err, "%s [y/n]: ", question)
		answer, err := answers.ReadString('\n')
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(a.Err)
			return false, fmt.Errorf("confirmation required: answer y, or use %s", flag)
		}
	}
	return false, errors.New("confirmation required: the answer must be y or n")
}

// removeMesh removes a mesh and waits until it is gone.
func (a *app) removeMesh(ctx context.Context, c client.Client, m mesh, o uninstallOptions, sidecars v1alpha1.SidecarRemoval) error {
	if !m.Declared {
		return fmt.Errorf("mesh %s in namespace %s has no Mesh object: uninstall it with the tool that installed it, such as `helm uninstall -n %s %s`", m.Name, m.Namespace, m.Namespace, m.Name)
	}
	if err := a.deleteMesh(ctx, c, m, o.timeout, sidecars); err != nil {
		return err
	}
	a.line("OSM [mesh name: %s] in namespace [%s] uninstalled", m.Name, m.Namespace)
	if !o.deleteNamespace {
		return nil
	}
	err := c.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.Namespace}})
	if apierrors.IsNotFound(err) {
		a.line("OSM namespace [%s] not found", m.Namespace)
		return nil
	}
	if err == nil {
		a.line("OSM namespace [%s] deleted successfully", m.Namespace)
	}
	return err
}

// deleteMesh deletes a Mesh and removes its namespaces. If users restart the workloads, the namespaces are removed first, so that new
// pods get no sidecar. If the operator restarts them, they are removed last: pods with and without a sidecar can only communicate
// while the namespace is in the mesh.
func (a *app) deleteMesh(ctx context.Context, c client.Client, m mesh, timeout time.Duration, sidecars v1alpha1.SidecarRemoval) error {
	restarts, err := a.chooseRemoval(ctx, c, m.Name, sidecars)
	if err != nil {
		return err
	}
	if !restarts {
		if err := a.removeMembers(ctx, c, m); err != nil {
			return err
		}
	}
	object := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: m.Name}}
	if err := c.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Mesh %s: %w", m.Name, a.kube.Sentence(err))
	}
	if err := a.waitForRemoval(ctx, c, object, timeout); err != nil || !restarts {
		return err
	}
	return a.removeMembers(ctx, c, m)
}

// removeMembers removes all namespaces from a mesh.
func (a *app) removeMembers(ctx context.Context, c client.Client, m mesh) error {
	for _, name := range m.Members {
		if err := a.removeNamespace(ctx, c, m.Name, name); err != nil {
			return err
		}
	}
	return nil
}

// chooseRemoval sets spec.removal of a Mesh. It returns true if the operator restarts the workloads.
func (a *app) chooseRemoval(ctx context.Context, c client.Client, name string, sidecars v1alpha1.SidecarRemoval) (bool, error) {
	object := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	declared := ptr.Deref(ptr.Deref(object.Spec.Removal, v1alpha1.RemovalSpec{}).Sidecars, v1alpha1.SidecarsWait)
	if sidecars == "" || sidecars == declared {
		return declared == v1alpha1.SidecarsRestart, nil
	}
	before := object.DeepCopy()
	removal := ptr.Deref(object.Spec.Removal, v1alpha1.RemovalSpec{})
	removal.Sidecars = &sidecars
	object.Spec.Removal = &removal
	if err := c.Patch(ctx, object, client.MergeFrom(before), fieldOwner); err != nil {
		return false, fmt.Errorf("patch spec.removal of Mesh %s: %w", name, a.kube.Sentence(err))
	}
	return sidecars == v1alpha1.SidecarsRestart, nil
}

// sidecarRemovals maps the values of the flag --sidecars. The empty value means that the flag is not set.
var sidecarRemovals = map[string]v1alpha1.SidecarRemoval{"": "", "wait": v1alpha1.SidecarsWait, "restart": v1alpha1.SidecarsRestart}

func (a *app) waitForRemoval(ctx context.Context, c client.Client, object *v1alpha1.Mesh, timeout time.Duration) error {
	p := a.progress()
	last := "the operator has not reconciled it yet"
	err := wait.PollUntilContextTimeout(ctx, pollInterval, timeout, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		if ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
			last = ready.Reason + ": " + ready.Message
		}
		p.report("%s", last)
		return false, err
	})
	return timedOut(err, "mesh %s is not removed after %s: %s", object.Name, p.elapsed(), last)
}

// removeSharedResources removes resources shared by all meshes, if requested.
func (a *app) removeSharedResources(ctx context.Context, c client.Client, o uninstallOptions) error {
	if !o.clusterWide && !o.operator {
		return nil
	}
	left, err := a.meshes(ctx, c)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("CRDs and operator are kept, because other meshes use them: %s in namespace %s", left[0].Name, left[0].Namespace)
	}
	if o.clusterWide {
		if err := a.removeDefinitions(ctx, c); err != nil {
			return err
		}
	}
	if o.operator {
		return a.removeOperator(ctx, c)
	}
	return nil
}

// removeDefinitions deletes the CRDs of policies and settings. The operator's own CRDs are deleted with the operator.
func (a *app) removeDefinitions(ctx context.Context, c client.Client) error {
	for _, name := range kinds.Definitions() {
		definition := kinds.Object(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		definition.SetName(name)
		switch err := c.Delete(ctx, definition); {
		case apierrors.IsNotFound(err):
			a.line("Ignoring - did not find OSM CRD: %s", name)
		case err != nil:
			return fmt.Errorf("delete CRD %s: %w", name, a.kube.Sentence(err))
		default:
			a.line("Successfully deleted OSM CRD: %s", name)
		}
	}
	return nil
}
