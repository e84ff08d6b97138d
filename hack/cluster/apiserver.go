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
		Short: "Stop and start the API server alone, or let it reject writes, to test the cluster without it",
	}
	add := func(name, short string, f func(context.Context, *tool, *node.Node) error) {
		cmd.AddCommand(&cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: localOnly(f)})
	}
	add("stop", "Kill the API server; pods keep running, and `up` would treat the cluster as damaged", func(ctx context.Context, _ *tool, n *node.Node) error {
		return n.StopAPIServer(ctx)
	})
	add("start", "Start the API server with its stored data and wait until it is ready", func(ctx context.Context, t *tool, n *node.Node) error {
		set, err := t.builder.All(ctx)
		if err != nil {
			return err
		}
		return n.StartAPIServer(ctx, set)
	})
	add("reject-writes", "Let the API server deny creating and changing objects, as with full storage", func(ctx context.Context, _ *tool, n *node.Node) error {
		return n.RejectWrites(ctx)
	})
	add("accept-writes", "Let the API server accept writes again", func(ctx context.Context, _ *tool, n *node.Node) error {
		return n.AcceptWrites(ctx)
	})
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
