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
		Short: "Stop the API server alone, and start it again, to see what goes on without it",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "stop",
			Short: "Kill the API server; pods go on, and `up` would take the cluster for damaged",
			Args:  cobra.NoArgs,
			RunE: local(func(ctx context.Context, _ *tool, n *node.Node) error {
				return n.StopAPIServer(ctx)
			}),
		},
		&cobra.Command{
			Use:   "start",
			Short: "Start it again with everything that was stored, and wait until it serves",
			Args:  cobra.NoArgs,
			RunE: local(func(ctx context.Context, t *tool, n *node.Node) error {
				set, err := t.builder.All(ctx)
				if err != nil {
					return err
				}
				return n.StartAPIServer(ctx, set)
			}),
		},
	)
	return cmd
}

// local wraps a command that changes the cluster on this machine, which it refuses where another cluster is meant.
func local(f func(context.Context, *tool, *node.Node) error) func(*cobra.Command, []string) error {
	run := changing(func(ctx context.Context, t *tool) error {
		n, err := t.node()
		if err != nil {
			return err
		}
		return f(ctx, t, n)
	})
	return func(cmd *cobra.Command, args []string) error {
		if yes, err := current(); err != nil {
			return err
		} else if yes {
			return fmt.Errorf("CLUSTER=current: the API server of a cluster made elsewhere is not touched")
		}
		return run(cmd, args)
	}
}
