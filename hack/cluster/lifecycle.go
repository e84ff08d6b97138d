package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/debian"
)

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or do nothing if it is healthy",
		Args:  cobra.NoArgs,
		RunE: changing(func(ctx context.Context, t *tool) error {
			if err := t.installPackages(ctx); err != nil {
				return err
			}
			set, err := t.builder.All(ctx)
			if err != nil {
				return err
			}
			n, err := t.node()
			if err != nil {
				return err
			}
			if err := n.Up(ctx, set); err != nil {
				return err
			}
			t.report.Say("to use it:  export KUBECONFIG=%s  PATH=%s:$PATH", t.state.Kubeconfig(), set.Kubernetes)
			return nil
		}),
	}
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster with everything in it and all it put on the machine; built programs stay cached",
		Args:  cobra.NoArgs,
		RunE: changing(func(ctx context.Context, t *tool) error {
			n, err := t.node()
			if err != nil {
				return err
			}
			return n.Down(ctx)
		}),
	}
}

// changing wraps a command that changes the machine: as root, one at a time, and not at all with CLUSTER=current.
func changing(f func(context.Context, *tool) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		t, err := newTool()
		if err != nil {
			return err
		}
		if yes, err := current(); err != nil {
			return err
		} else if yes {
			return t.checkCurrent(cmd.Context())
		}
		if err := requireRoot(); err != nil {
			return err
		}
		unlock, err := t.exclusive()
		if err != nil {
			return err
		}
		defer unlock()
		return f(cmd.Context(), t)
	}
}

func (t *tool) installPackages(ctx context.Context) error {
	missing, err := debian.Missing(ctx, debian.Required())
	if err != nil || len(missing) == 0 {
		return err
	}
	return t.report.Run(ctx, "installing Debian packages: "+strings.Join(missing, " "), func(ctx context.Context) error {
		return debian.Install(ctx, missing)
	})
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the cluster is healthy; without one, show what is left on the machine. Fails unless healthy",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			if yes, err := current(); err != nil || yes {
				if err != nil {
					return err
				}
				return t.checkCurrent(cmd.Context())
			}
			return t.status(cmd)
		},
	}
}

func (t *tool) status(cmd *cobra.Command) error {
	n, err := t.node()
	if err != nil {
		return err
	}
	running := 0
	out := cmd.OutOrStdout()
	for _, p := range n.Processes() {
		state := "not running"
		if p.Pid != 0 {
			state = fmt.Sprintf("pid %d", p.Pid)
			running++
		}
		fmt.Fprintf(out, "%-24s %s\n", p.Name, state)
	}
	unhealthy := n.Healthy(cmd.Context())
	if unhealthy == nil {
		fmt.Fprintf(out, "healthy; kubeconfig %s\n", t.state.Kubeconfig())
		return nil
	}
	if running > 0 {
		return fmt.Errorf("the cluster is not healthy: %w", unhealthy)
	}
	left, err := n.Leftovers().List(cmd.Context())
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return fmt.Errorf("there is no cluster, and nothing is left of one")
	}
	return fmt.Errorf("there is no cluster, but these are left of one (`down` removes them):\n  %s", strings.Join(left, "\n  "))
}
