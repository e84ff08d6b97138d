package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/takeover"
	osm "github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// migration are the flags that name the two sides of a takeover.
type migration struct {
	// from is the namespace of the Open Service Mesh, empty for the only one; into is that of the Mesh, empty for the default.
	from, into string
}

func (a *app) migrateCommand() *cobra.Command {
	return group("migrate", "Take over from a running Open Service Mesh", nil, a.migratePlanCommand(), a.migrateRunCommand(), a.migrateRollbackCommand())
}

// addMigration adds the flags that name the two sides.
func addMigration(cmd *cobra.Command, m *migration) {
	cmd.Flags().StringVar(&m.from, "from", "", "namespace of the running Open Service Mesh (default: that of the only one)")
	cmd.Flags().StringVar(&m.into, "into", "", "namespace of the new control plane (default: the name of the mesh with the suffix -mesh)")
}

func (a *app) migratePlanCommand() *cobra.Command {
	var m migration
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a takeover would do",
		Long: `Read the cluster and show what a takeover from a running Open Service Mesh would do: what is in the way, the steps, what becomes of
each object, which workloads restart and in about which time, and what behaves differently afterwards. The command changes nothing.

The exit code is 0 if the takeover can begin, and 1 if something is in the way or the cluster cannot be read.`,
		Example: `  osm migrate plan
  osm migrate plan --from kube-system --into osm-mesh -o yaml`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.migratePlan(ctx, m, &form) }),
	}
	addMigration(cmd, &m)
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) migratePlan(ctx context.Context, m migration, form *output.Flag) error {
	if err := form.Check(); err != nil {
		return err
	}
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	report, err := a.survey(ctx, c, m)
	if err != nil {
		return err
	}
	err = form.Print(a.Out, output.Result{
		Data: report, Names: []string{meshResource + report.Mesh.Name},
		Text: func(w io.Writer) error { return report.Print(w) },
	})
	return exitIf(report.Blocked(), exitFailed, err)
}

// survey surveys the cluster for a takeover.
func (a *app) survey(ctx context.Context, c client.Client, m migration) (*takeover.Report, error) {
	source, err := findSource(ctx, c, m.from)
	if err != nil {
		return nil, err
	}
	into := m.into
	if into == "" {
		into = source.Mesh + "-mesh"
	}
	subject := checks.Subject{Client: c, Now: a.now(), Kubernetes: a.kubernetesVersion}
	return takeover.Survey(ctx, subject, source.Namespace, into)
}

// findSource returns the Open Service Mesh in a namespace, or the only one.
func findSource(ctx context.Context, c client.Client, from string) (osm.Installation, error) {
	all, err := osm.List(ctx, c)
	if err != nil {
		return osm.Installation{}, err
	}
	all = slices.DeleteFunc(all, func(i osm.Installation) bool { return i.Name != names.Controller })
	var found []string
	for _, i := range all {
		if i.Namespace == from || from == "" && len(all) == 1 {
			return i, nil
		}
		found = append(found, i.Namespace)
	}
	switch {
	case len(all) == 0:
		return osm.Installation{}, errors.New("no Open Service Mesh runs in this cluster: to use what a removed one has left, see docs/migration.md")
	case from == "":
		return osm.Installation{}, fmt.Errorf("several Open Service Meshes run in this cluster: name the namespace of one with --from (%s)", strings.Join(found, ", "))
	}
	return osm.Installation{}, fmt.Errorf("no Open Service Mesh runs in namespace %s: name another with --from (%s)", from, strings.Join(found, ", "))
}

// migrateTimeout is how long a command waits for one step. Restarts of many workloads take long; the command can be repeated.
const migrateTimeout = time.Hour
