package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (a *app) namespaceCommand() *cobra.Command {
	return group("namespace", "Manage the namespaces of a mesh", []string{"ns"},
		a.namespaceAddCommand(), a.namespaceRemoveCommand(), a.namespaceIgnoreCommand(), a.namespaceListCommand())
}

func (a *app) namespaceAddCommand() *cobra.Command {
	var meshName string
	var withoutInjection, force bool
	cmd := &cobra.Command{
		Use:   "add NAMESPACE...",
		Short: "Add namespaces to a mesh",
		Long: `Add namespaces to a mesh. The policies of the mesh then apply to them, and new pods get a sidecar. Existing pods get a sidecar when
they are restarted, for example with "kubectl rollout restart deployment".

The namespaces kube-system, kube-public and kube-node-lease are rejected: the cluster's DNS and network must not depend on sidecars. With
--force they are added without sidecar injection, and the injector never injects there.`,
		Example: `  # Inject sidecars into all new pods in namespace shop.
  osm namespace add shop

  # Inject sidecars only into pods that request it.
  osm namespace add shop --disable-sidecar-injection`,
		Args: atLeast(1, "NAMESPACE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if err := checkSystemNamespaces(args, force); err != nil {
				return err
			}
			return a.namespaceAdd(ctx, meshName, withoutInjection, args)
		}),
		ValidArgsFunction: a.completeNamespaces,
	}
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().BoolVar(&withoutInjection, "disable-sidecar-injection", false, "do not enable sidecar injection")
	cmd.Flags().BoolVar(&force, "force", false, "also add namespaces of Kubernetes, without sidecar injection")
	return cmd
}

// checkSystemNamespaces returns an error for the first namespace of Kubernetes, unless force is set.
func checkSystemNamespaces(namespaces []string, force bool) error {
	for _, name := range namespaces {
		if names.IsSystemNamespace(name) && !force {
			return fmt.Errorf("namespace %s belongs to Kubernetes, and its pods never get a sidecar: leave it outside the mesh, or add it without sidecar injection with --force", name)
		}
	}
	return nil
}

// addMeshAndOutput adds the flags --mesh-name and those of the output.
func (a *app) addMeshAndOutput(cmd *cobra.Command, meshName *string, form *output.Flag) {
	a.addMeshName(cmd, meshName, "")
	form.AddTo(cmd.Flags())
}

// addMeshName adds the flag --mesh-name.
func (a *app) addMeshName(cmd *cobra.Command, value *string, standard string) {
	cmd.Flags().StringVar(value, "mesh-name", standard, "name of the mesh")
	_ = cmd.RegisterFlagCompletionFunc("mesh-name", a.completeMeshes)
}

func (a *app) namespaceAdd(ctx context.Context, meshName string, withoutInjection bool, namespaces []string) error {
	c, all, err := a.connect(ctx)
	if err != nil {
		return err
	}
	found, err := selectMesh(meshName, all)
	if err != nil {
		return err
	}
	return a.addNamespaces(ctx, c, found, all, withoutInjection, namespaces)
}

// addNamespaces adds namespaces to a mesh, except those with a control plane of one of all meshes.
func (a *app) addNamespaces(ctx context.Context, c client.Client, found mesh, all []mesh, withoutInjection bool, namespaces []string) error {
	for _, name := range namespaces {
		if i := slices.IndexFunc(all, func(m mesh) bool { return m.Namespace == name }); i >= 0 {
			a.line("Namespace [%s] already has [%s] installed and cannot be added to mesh [%s]", name, names.Controller, all[i].Name)
			continue
		}
		if err := a.addNamespace(ctx, c, found.Name, withoutInjection || names.IsSystemNamespace(name), name); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) addNamespace(ctx context.Context, c client.Client, meshName string, withoutInjection bool, name string) error {
	ns, err := getNamespace(ctx, c, name)
	if err != nil {
		return fmt.Errorf("Could not add namespace [%s] to mesh [%s]: %w", name, meshName, err) //nolint:staticcheck // same message as OSM
	}
	injection := any("enabled")
	if withoutInjection {
		injection = nil
	}
	before, belongs := ns.Labels[names.MonitoredByLabel]
	switch {
	case ns.Labels[names.IgnoreLabel] == "true":
		return fmt.Errorf("Cannot add ignored namespace [%s]: remove its label %s first (kubectl label namespace %s %s-)", name, names.IgnoreLabel, name, names.IgnoreLabel) //nolint:staticcheck // same message as OSM
	case belongs && before == meshName && !withoutInjection:
		a.line("Namespace [%s] has already been added to mesh [%s]", name, meshName)
		if ns.Annotations[names.InjectionAnnotation] != "" {
			return nil
		}
		// The namespace had the label but injection was not enabled.
	case belongs && before != meshName:
		return fmt.Errorf("namespace %s belongs to mesh %s: remove it first with `osm namespace remove %s --mesh-name %s`", name, before, name, before)
	}
	if err := patchMeta(ctx, c, ns, map[string]any{names.MonitoredByLabel: meshName}, map[string]any{names.InjectionAnnotation: injection}); err != nil {
		return fmt.Errorf("Could not add namespace [%s] to mesh [%s]: %w", name, meshName, err) //nolint:staticcheck // same message as OSM
	}
	if before != meshName || withoutInjection {
		a.line("Namespace [%s] successfully added to mesh [%s]", name, meshName)
	}
	return a.hintRestart(ctx, c, meshName, name, withoutInjection)
}

// isOfMesh reports whether the sidecar of a pod is of a mesh, unless its revision is unknown.
func isOfMesh(pod *corev1.Pod, meshName string) bool {
	made, known := desired.MeshOf(pod.Labels[names.RevisionLabel])
	return !known || made == meshName
}

// hintRestart prints how to restart existing pods that have no sidecar of the mesh.
func (a *app) hintRestart(ctx context.Context, c client.Client, meshName, namespace string, withoutInjection bool) error {
	if withoutInjection {
		return nil
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return err
	}
	withoutSidecar := 0
	for i := range pods.Items {
		hasSidecar := pods.Items[i].Labels[names.ProxyUUIDLabel] != "" && isOfMesh(&pods.Items[i], meshName)
		if !hasSidecar && !kube.IsGone(&pods.Items[i]) {
			withoutSidecar++
		}
	}
	if withoutSidecar > 0 {
		pods, have, they := "pods", "have", "they are"
		if withoutSidecar == 1 {
			pods, have, they = "pod", "has", "it is"
		}
		a.note("%d %s in namespace %s %s no sidecar of mesh %s until %s restarted: %s", withoutSidecar, pods, namespace, have, meshName, they, remaining.RestartAll(namespace))
	}
	return nil
}

func (a *app) namespaceRemoveCommand() *cobra.Command {
	var meshName string
	cmd := &cobra.Command{
		Use:   "remove NAMESPACE",
		Short: "Remove a namespace from a mesh",
		Long: `Remove a namespace from a mesh. The command removes the label and annotations of the namespace. New pods get no sidecar. Existing
sidecars run until their pods are restarted, without further updates of their configuration and certificate. The command prints how many
there are, and the command that restarts them.`,
		Args: exactly(1, "NAMESPACE"),
		RunE: a.runWithClient(func(ctx context.Context, c client.Client, args []string) error {
			return a.removeNamespace(ctx, c, meshName, args[0])
		}),
		ValidArgsFunction: a.completeNamespaces,
	}
	a.addMeshName(cmd, &meshName, names.DefaultMesh)
	return cmd
}

func (a *app) removeNamespace(ctx context.Context, c client.Client, meshName, name string) error {
	ns, err := namespaceNamed(ctx, c, name, "list the namespaces of meshes with `osm namespace list`")
	if err != nil {
		return fmt.Errorf("Could not remove namespace [%s] from mesh [%s]: %w", name, meshName, err) //nolint:staticcheck // same message as OSM
	}
	current, belongs := ns.Labels[names.MonitoredByLabel]
	if !belongs {
		a.line("Namespace [%s] already does not belong to any mesh", name)
		return a.hintRemaining(ctx, c, meshName, name)
	}
	if current != meshName {
		return fmt.Errorf("Namespace belongs to mesh [%s], not mesh [%s]. Please specify the correct mesh", current, meshName) //nolint:staticcheck // same message as OSM
	}
	if err := patchMeta(ctx, c, ns, map[string]any{names.MonitoredByLabel: nil},
		map[string]any{names.InjectionAnnotation: nil, names.MetricsAnnotation: nil}); err != nil {
		return fmt.Errorf("Could not remove namespace [%s] from mesh [%s]: %w", name, meshName, err) //nolint:staticcheck // same message as OSM
	}
	a.line("Namespace [%s] successfully removed from mesh [%s]", name, meshName)
	return a.hintRemaining(ctx, c, meshName, name)
}

// hintRemaining prints how to restart the pods that keep a sidecar after their namespace left a mesh.
func (a *app) hintRemaining(ctx context.Context, c client.Client, meshName, namespace string) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return err
	}
	kept := 0
	for i := range pods.Items {
		if (remaining.Meshes{Name: meshName}).Sidecar(ingest.Pod(&pods.Items[i]), "") {
			kept++
		}
	}
	if kept > 0 {
		a.note("%s in namespace %s with a sidecar that gets no updates any more: %s: %s", output.Count(kept, "pod"), namespace, remaining.Effect, remaining.RestartAll(namespace))
	}
	return nil
}

func (a *app) namespaceIgnoreCommand() *cobra.Command {
	var meshName string
	cmd := &cobra.Command{
		Use:   "ignore NAMESPACE...",
		Short: "Exclude namespaces from all meshes",
		Long:  `Exclude namespaces from all meshes. Their pods never get a sidecar, and the namespaces cannot be added to a mesh.`,
		Args:  atLeast(1, "NAMESPACE"),
		RunE: a.runWithClient(func(ctx context.Context, c client.Client, args []string) error {
			for _, name := range args {
				ns, err := getNamespace(ctx, c, name)
				if err != nil {
					return fmt.Errorf("Failed to retrieve namespace [%s]: %w", name, err) //nolint:staticcheck // same message as OSM
				}
				if err := patchMeta(ctx, c, ns, map[string]any{names.IgnoreLabel: "true"}, nil); err != nil {
					return fmt.Errorf("Failed to configure namespace [%s] to be ignored: %w", name, err) //nolint:staticcheck // same message as OSM
				}
				a.line("Successfully configured namespace [%s] to be ignored", name)
				if mesh := ns.Labels[names.MonitoredByLabel]; mesh != "" {
					if err := a.hintRemaining(ctx, c, mesh, name); err != nil {
						return err
					}
				}
			}
			return nil
		}),
		ValidArgsFunction: a.completeNamespaces,
	}
	// The flag has no effect: ignored namespaces are ignored by all meshes.
	a.addMeshName(cmd, &meshName, names.DefaultMesh)
	return cmd
}

// getNamespace reads a namespace. It returns an error that says how to create the namespace if it does not exist.
func getNamespace(ctx context.Context, c client.Client, name string) (*corev1.Namespace, error) {
	return namespaceNamed(ctx, c, name, fmt.Sprintf("create it with `kubectl create namespace %s`", name))
}

// namespaceNamed reads a namespace. It returns an error with the remedy if the namespace does not exist.
func namespaceNamed(ctx context.Context, c client.Client, name, remedy string) (*corev1.Namespace, error) {
	ns := &corev1.Namespace{}
	err := c.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("namespace %s not found: %s", name, remedy)
	}
	return ns, err
}

// patchMeta sets labels and annotations. nil values remove a key.
func patchMeta(ctx context.Context, c client.Client, object client.Object, labels, annotations map[string]any) error {
	metadata := map[string]any{}
	if labels != nil {
		metadata["labels"] = labels
	}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}
