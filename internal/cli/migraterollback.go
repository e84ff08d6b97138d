package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// migrateRollbackOptions are the flags of the migrate rollback command.
type migrateRollbackOptions struct {
	from    string
	yes     bool
	timeout time.Duration
}

func (a *app) migrateRollbackCommand() *cobra.Command {
	var o migrateRollbackOptions
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
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.migrateRollback(ctx, o) }),
	}
	cmd.Flags().StringVar(&o.from, "from", "", "namespace of the running Open Service Mesh (default: that of the only takeover)")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().DurationVar(&o.timeout, "timeout", migrateTimeout, "time to wait until no sidecar of the Mesh is left")
	return cmd
}

func (a *app) migrateRollback(ctx context.Context, o migrateRollbackOptions) error {
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	return a.takeBack(ctx, c, o)
}

// takeBack goes back to the Open Service Mesh.
func (a *app) takeBack(ctx context.Context, c client.Client, o migrateRollbackOptions) error {
	m, err := a.adoptingMesh(ctx, c, o.from)
	if err != nil {
		return err
	}
	if m == nil {
		return errors.New("no Mesh takes over from an Open Service Mesh: there is nothing to take back")
	}
	from := declaredTakeover(m).From
	running, err := takeover.ReadRunning(ctx, c, from)
	if err != nil {
		return err
	}
	if !running.HasController {
		return fmt.Errorf("the Open Service Mesh in namespace %s is removed, so Mesh %s cannot go back to it: install it again as in docs/migration.md", from, m.Name)
	}
	yes, err := a.confirm(bufio.NewReader(a.In), o.yes, "--yes", fmt.Sprintf("Give new pods and the workloads of Mesh %s back to the Open Service Mesh in namespace %s?", m.Name, from))
	if err != nil || !yes {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	for _, fields := range waysBack(m) {
		if err := patchAdoption(ctx, c, m, fields); err != nil {
			return a.kube.Sentence(err)
		}
		if err := a.awaitReturn(limited, c, m); err != nil {
			return err
		}
	}
	a.line("Mesh %s has no sidecar any more, and the Open Service Mesh in namespace %s serves all workloads. To remove the Mesh, run kubectl delete mesh %s", m.Name, from, m.Name)
	return nil
}

// waysBack returns the changes of spec.adoption that go back, in their order. A Mesh that is ready serves the sidecars of the Open Service Mesh until workloads
// are back: it knows earlier than the Open Service Mesh when a pod ends.
func waysBack(m *v1alpha1.Mesh) []map[string]any {
	if takeover.IsRedirected(m) && meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady) {
		return []map[string]any{{"step": v1alpha1.AdoptionPrepared}, {"service": nil, "bridge": nil}}
	}
	return []map[string]any{{"step": v1alpha1.AdoptionPrepared, "service": nil, "bridge": nil}}
}

// awaitReturn waits until the first step is in effect again and no sidecar of the Mesh is left.
func (a *app) awaitReturn(ctx context.Context, c client.Client, m *v1alpha1.Mesh) error {
	last, err := a.awaitAdoption(ctx, c, m, func() (bool, string) {
		done, text := stepState(m, v1alpha1.AdoptionPrepared)
		if done && m.Status.Adoption.Sidecars > 0 {
			return false, fmt.Sprintf("%s of the Mesh left: %s", output.Count(int(m.Status.Adoption.Sidecars), "sidecar"), text)
		}
		return done, text
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the workloads are not back %s: %s. Repeat `osm migrate rollback` to wait on", untilWhen(ctx), last)
	}
	return err
}
