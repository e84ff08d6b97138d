package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/takeover"
	"github.com/openservicemesh/osm-operator/internal/cli/takeover/steps"
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
		RunE: a.runWithClient(func(ctx context.Context, c client.Client, _ []string) error { return a.migratePlan(ctx, c, m, &form) }),
	}
	addMigration(cmd, &m)
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) migratePlan(ctx context.Context, c client.Client, m migration, form *output.Flag) error {
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
	source, err := steps.FindSource(ctx, c, m.from)
	if err != nil {
		return nil, err
	}
	subject := checks.Subject{Client: c, Now: a.now(), Kubernetes: a.kubernetesVersion}
	return takeover.Survey(ctx, subject, source.Namespace, cmp.Or(m.into, source.Mesh+"-mesh"))
}

func (a *app) migrateRunCommand() *cobra.Command {
	var m migration
	var o steps.Options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take over from a running Open Service Mesh, step by step",
		Long: `Create the Mesh of a takeover, and set its step (spec.adoption.step) to the next one as soon as the current one is in effect. The
command asks before each step. It can be interrupted and repeated: it goes on where the Mesh is.

Before the last step it waits until you have removed the Open Service Mesh with the printed command. The operator never does. Then it
completes the takeover and removes spec.adoption from the Mesh.

With --bridge, the Mesh also serves the sidecars of the Open Service Mesh, from before the restarts until the Open Service Mesh is removed
or the time is over: those of bare pods, of Jobs, and of callers that have not restarted yet. They then know at once when a pod that
they call restarts. The command leads the Service osm-controller to the Mesh and restarts the Deployment osm-controller of the Open
Service Mesh.`,
		Example: `  osm migrate run
  osm migrate run --bridge 72h
  osm migrate run --to injecting
  osm migrate run --yes --timeout 2h`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.migrateRun(ctx, m, o) }),
	}
	addMigration(cmd, &m)
	cmd.Flags().StringVar(&o.To, "to", "complete", "last step: prepared, injecting, restarting or complete")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask before each step")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", migrateTimeout, "time to wait for each step")
	cmd.Flags().DurationVar(&o.Bridge, "bridge", 0, "time in which the Mesh also serves the sidecars of the Open Service Mesh, such as 72h (default: it does not)")
	return cmd
}

func (a *app) migrateRun(ctx context.Context, m migration, o steps.Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	s, err := a.migrateSession(m)
	if err != nil {
		return err
	}
	return s.Forward(ctx, o)
}

func (a *app) migrateRollbackCommand() *cobra.Command {
	var from string
	var o steps.Options
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to the Open Service Mesh while it runs",
		Long: `Set the step of a takeover back to Prepared: the webhooks of the Open Service Mesh are restored as they were, and the workloads with
sidecars of the Mesh restart in waves and get those of the Open Service Mesh again. The command waits until no sidecar of the Mesh is
left. Then it closes the bridge, and the Open Service Mesh serves its sidecars; it does so first if the Mesh is not ready. The Mesh
remains next to the Open Service Mesh and serves nobody. To remove it, run kubectl delete mesh NAME.

The command can be interrupted and repeated. After the Open Service Mesh is removed there is nothing to go back to.`,
		Example: `  osm migrate rollback
  osm migrate rollback --yes && kubectl delete mesh osm`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.migrateRollback(ctx, from, o) }),
	}
	cmd.Flags().StringVar(&from, "from", "", "namespace of the running Open Service Mesh (default: that of the only takeover)")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", migrateTimeout, "time to wait until no sidecar of the Mesh is left")
	return cmd
}

func (a *app) migrateRollback(ctx context.Context, from string, o steps.Options) error {
	s, err := a.migrateSession(migration{from: from})
	if err != nil {
		return err
	}
	return s.Back(ctx, o)
}

// migrateSession returns what takes over for the user of the command.
func (a *app) migrateSession(m migration) (*steps.Session, error) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, err
	}
	answers := bufio.NewReader(a.In)
	return &steps.Session{
		Terminal: steps.Terminal{
			Confirm: func(skip bool, question string) (bool, error) { return a.confirm(answers, skip, "--yes", question) },
			Line:    a.line, Note: a.note, Report: a.progress().report, Elapsed: a.progress().elapsed, Notes: a.Err, Sentence: a.kube.Sentence,
		},
		Client: client.WithFieldOwner(c, string(fieldOwner)), From: m.from, Now: a.now, PollInterval: pollInterval,
		Survey:   func(ctx context.Context) (*takeover.Report, error) { return a.survey(ctx, c, m) },
		Unserved: func(ctx context.Context, mesh string) (int, error) { return a.unservedOSMSidecars(ctx, c, mesh) },
	}, nil
}

// unservedOSMSidecars returns the number of sidecars of the Open Service Mesh that a mesh does not serve.
func (a *app) unservedOSMSidecars(ctx context.Context, c client.Client, name string) (int, error) {
	reading, end := context.WithCancel(ctx)
	defer end()
	m, err := a.oneMesh(reading, c, name)
	if err != nil {
		return 0, err
	}
	answers, err := a.reports(reading, c, m).Proxies(reading)
	if err != nil {
		return 0, err
	}
	found, problems := connectedSidecars(answers, "")
	if len(problems) > 0 {
		return 0, errors.New(problems[0])
	}
	disconnected, err := disconnectedSidecars(reading, c, m, "", found)
	return len(slices.DeleteFunc(disconnected, func(s connected) bool { return !s.OSM })), err
}

// migrateTimeout is how long a command waits for one step. Restarts of many workloads take long; the command can be repeated.
const migrateTimeout = time.Hour
