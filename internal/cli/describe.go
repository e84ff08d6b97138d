package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/describe"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func (a *app) describeCommand() *cobra.Command {
	return group("describe", "Show what the mesh does for a pod", nil, a.describePodCommand())
}

func (a *app) describePodCommand() *cobra.Command {
	var meshName string
	var files []string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "pod POD",
		Short: "Show who may call a pod, whom it may call, and all policies that affect it",
		Long: `Show the clients that may call a pod and what allows them, and the Services that it may call. All policies that affect its sidecar
follow, with their problems. The answer is computed by the same code that configures the sidecar. POD is NAME or NAMESPACE/NAME.

For one call, with the reason and what is missing, use "osm explain".`,
		Example: `  osm describe pod bookstore-v1-5c797ff5f4-tck47 -n bookstore
  osm describe pod bookstore/bookstore-v1-5c797ff5f4-tck47 -o json`,
		Args: exactly(1, "POD"),

		ValidArgsFunction: a.completeMeshedPods,
		RunE: a.run(func(ctx context.Context, args []string) error {
			if err := form.Check(); err != nil {
				return err
			}
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			m, err := a.readMesh(ctx, meshName, files)
			if err != nil {
				return err
			}
			return a.describePod(m, parseName(namespace, args[0]), &form)
		}),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &meshName, "")
	f.StringSliceVarP(&files, "filename", "f", nil, "evaluate these files or directories instead of a cluster, separated by commas")
	form.AddTo(f)
	return cmd
}

// readMesh loads the mesh from files, or from the cluster without any.
func (a *app) readMesh(ctx context.Context, meshName string, files []string) (explain.Mesh, error) {
	if len(files) > 0 {
		return fromFiles(meshName, files)
	}
	c, found, err := a.open(ctx, meshName, nil)
	if err != nil {
		return explain.Mesh{}, err
	}
	return a.fromCluster(ctx, c, found)
}

func (a *app) describePod(m explain.Mesh, name catalog.Name, form *output.Flag) error {
	described, err := describe.Pod(m.Catalog, name, m.Problems)
	if err != nil {
		return err
	}
	if form.ForPeople() {
		return described.Print(a.Out)
	}
	return form.Print(a.Out, output.Result{Data: described, Names: []string{"pod/" + name.Name}})
}
