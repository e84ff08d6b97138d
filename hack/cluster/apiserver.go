package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/node"
)

func apiServerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api-server",
		Short: "Stop and start the API server alone, or let it refuse writes, to test the cluster without it",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "stop",
			Short: "Kill the API server; pods keep running, and `up` would treat the cluster as damaged",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, _ *tool, n *node.Node) error {
				return n.StopAPIServer(ctx)
			}),
		},
		&cobra.Command{
			Use:   "start",
			Short: "Start the API server with its stored data and wait until it is ready",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
				set, err := t.builder.All(ctx)
				if err != nil {
					return err
				}
				return n.StartAPIServer(ctx, set)
			}),
		},
		&cobra.Command{
			Use:   "refuse-writes",
			Short: "Let the API server refuse to create and change objects, as with full storage",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, _ *tool, n *node.Node) error {
				return n.RefuseWrites(ctx)
			}),
		},
		&cobra.Command{
			Use:   "accept-writes",
			Short: "Let the API server accept writes again",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, _ *tool, n *node.Node) error {
				return n.AcceptWrites(ctx)
			}),
		},
	)
	return cmd
}

// localOnly wraps a command that changes the local cluster. It fails with CLUSTER=current.
func localOnly(f func(context.Context, *tool, *node.Node) error) func(*cobra.Command, []string) error {
	run := lockedAsRoot(func(ctx context.Context, t *tool) error {
		n, err := t.node()
		if err != nil {
			return err
		}
		return f(ctx, t, n)
	})
	return func(cmd *cobra.Command, args []string) error {
		if yes, err := usesCurrentCluster(); err != nil {
			return err
		} else if yes {
			return fmt.Errorf("CLUSTER=current: nothing is stopped, started or installed in a cluster that this tool did not create")
		}
		return run(cmd, args)
	}
}
