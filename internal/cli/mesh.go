package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

func (a *app) meshCommand() *cobra.Command {
	return group("mesh", "Manage meshes", nil, a.meshListCommand(), a.meshPlanCommand(), a.meshUpgradeCommand())
}

func (a *app) meshListCommand() *cobra.Command {
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the meshes in the cluster",
		Long: `List all meshes: those declared by a Mesh object, and those installed by OSM. The column CANARY shows the canary version
during an upgrade. The second table shows the SMI versions that a mesh supports.`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.meshList(ctx, &form) }),
	}
	form.AddTo(cmd.Flags())
	// OSM forwarded a port to the mesh. The flag is accepted so that scripts which set it keep working.
	cmd.Flags().Uint16P("local-port", "p", 9091, "no effect; accepted for compatibility with OSM")
	return cmd
}

// smiSupported lists the SMI versions that every control plane version supports.
const smiSupported = "HTTPRouteGroup:v1alpha4,TCPRoute:v1alpha4,TrafficSplit:v1alpha2,TrafficSplit:v1alpha4,TrafficTarget:v1alpha3"

func (a *app) meshList(ctx context.Context, form *output.Flag) error {
	if err := form.Check(); err != nil {
		return err
	}
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	all, err := a.meshes(ctx, c)
	if err != nil {
		return err
	}
	result := output.Result{
		Data: map[string]any{"items": all},
		Table: output.Table{Columns: append(output.Columns("MESH NAME", "MESH NAMESPACE", "VERSION"),
			output.Column{Name: "DESIRED", Wide: true}, output.Column{Name: "ADDED NAMESPACES"},
			output.Column{Name: "CANARY", Wide: !anyCanary(all)}, output.Column{Name: "READY", Wide: true}, output.Column{Name: "REASON", Wide: true}, output.Column{Name: "PLAN", Wide: true})},
	}
	support := output.Table{Columns: output.Columns("MESH NAME", "MESH NAMESPACE", "SMI SUPPORTED")}
	for _, m := range all {
		result.Names = append(result.Names, "mesh.operator.openservicemesh.io/"+m.Name)
		result.Table.Rows = append(result.Table.Rows, []string{m.Name, m.Namespace, m.Version, orDash(m.Desired), strings.Join(m.Members, ","), orDash(m.Canary), m.Ready, m.Reason, orDash(m.Plan)})
		if m.Declared {
			support.Rows = append(support.Rows, []string{m.Name, m.Namespace, smiSupported})
		}
	}
	if form.ForPeople() && len(all) == 0 {
		a.note("No osm mesh control planes found")
		return nil
	}
	if err := form.Print(a.Out, result); err != nil || !form.ForPeople() || len(support.Rows) == 0 {
		return err
	}
	a.line("")
	return form.Print(a.Out, output.Result{Table: support})
}

// anyCanary returns true if a mesh has a canary.
func anyCanary(all []mesh) bool {
	return slices.ContainsFunc(all, func(m mesh) bool { return m.Canary != "" })
}
