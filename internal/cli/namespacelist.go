package cli

import (
	"context"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// membership is a namespace of a mesh.
type membership struct {
	Namespace string `json:"namespace"`
	Mesh      string `json:"mesh"`
	// Injection is the value of the annotation, "-" if it is not set, or "disabled (ignored)".
	Injection string `json:"sidecarInjection"`
}

func (a *app) namespaceListCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the namespaces of meshes",
		Long:  `List the namespaces that belong to a mesh, with their sidecar injection setting.`,
		RunE: a.runWithClient(func(ctx context.Context, c client.Client, _ []string) error {
			return a.namespaceList(ctx, c, meshName, &form)
		}),
	}
	a.addMeshAndOutput(cmd, &meshName, &form)
	return cmd
}

func (a *app) namespaceList(ctx context.Context, c client.Client, meshName string, form *output.Flag) error {
	selector := client.ListOption(client.HasLabels{names.MonitoredByLabel})
	if meshName != "" {
		selector = client.MatchingLabels{names.MonitoredByLabel: meshName}
	}
	var namespaces corev1.NamespaceList
	if err := c.List(ctx, &namespaces, selector); err != nil {
		return err
	}
	if len(namespaces.Items) == 0 && meshName != "" {
		if _, err := a.oneMesh(ctx, c, meshName); err != nil {
			return err
		}
	}
	if len(namespaces.Items) == 0 && form.ForPeople() {
		if meshName == "" {
			a.note("No namespaces in any mesh")
		} else {
			a.note("No namespaces in mesh [%s]", meshName)
		}
		return nil
	}
	found := make([]membership, 0, len(namespaces.Items))
	for i := range namespaces.Items {
		found = append(found, memberOf(&namespaces.Items[i]))
	}
	return form.Print(a.Out, output.List(map[string]any{"items": found}, found, output.Columns("NAMESPACE", "MESH", "SIDECAR-INJECTION"),
		func(m membership) (string, []string) {
			return "namespace/" + m.Namespace, []string{m.Namespace, m.Mesh, m.Injection}
		}))
}

func memberOf(ns *corev1.Namespace) membership {
	m := membership{Namespace: ns.Name, Mesh: ns.Labels[names.MonitoredByLabel], Injection: "-"}
	if value, ok := ns.Annotations[names.InjectionAnnotation]; ok {
		m.Injection = value
	}
	if _, ignored := ns.Labels[names.IgnoreLabel]; ignored {
		m.Injection = "disabled (ignored)"
	}
	return m
}
