package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "demo", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(
		upCommand(),
		&cobra.Command{Use: "report", Short: "show the table again", Args: cobra.NoArgs, RunE: run(reportAgain)},
		&cobra.Command{Use: "down", Short: "remove the demo", Args: cobra.NoArgs, RunE: run(down)},
	)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func upCommand() *cobra.Command {
	var with string
	var o options
	cmd := &cobra.Command{Use: "up", Short: "start the demo and show the table", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&with, "with", "", "observability adds Prometheus and Jaeger, and a tour of them")
	cmd.Flags().StringVar(&o.registry, "registry", "", "registry, with an optional path, of the project's images; only with CLUSTER=current")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "install into the current cluster without a question; only with CLUSTER=current")
	cmd.RunE = run(func(ctx context.Context, p *progress) error {
		if with != "" && with != withObservability {
			return fmt.Errorf("unknown WITH=%s: use %s", with, withObservability)
		}
		o.observed = with == withObservability
		if !lab.IsCurrent() && o.registry != "" {
			return errors.New("REGISTRY has no effect on the local cluster, which loads the images that it builds: add CLUSTER=current, or omit it")
		}
		return up(ctx, p, o)
	})
	return cmd
}

func run(f func(context.Context, *progress) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		return f(cmd.Context(), newProgress(cmd.OutOrStdout()))
	}
}
