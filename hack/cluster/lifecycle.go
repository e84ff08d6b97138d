package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/debian"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/reservation"
)

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or do nothing if it is healthy",
		Args:  cobra.NoArgs,
		RunE: lockedAsRoot(func(ctx context.Context, t *tool, n *node.Node) error {
			if err := t.installPackages(ctx); err != nil {
				return err
			}
			set, err := t.builder.All(ctx)
			if err != nil {
				return err
			}
			if err := n.Up(ctx, set); err != nil {
				return err
			}
			if n.Plan.IsWorker() {
				t.report.Printf("node %s is part of the cluster at %s", n.Plan.NodeName, n.Plan.APIServer())
				return nil
			}
			t.report.Printf("to use the cluster:  export KUBECONFIG=%s  PATH=%s:$PATH", t.state.Kubeconfig(), set.Kubernetes)
			return nil
		}),
	}
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster and everything it created on the machine; built programs stay cached",
		Args:  cobra.NoArgs,
		RunE:  lockedAsRoot(func(ctx context.Context, _ *tool, n *node.Node) error { return n.Down(ctx) }),
	}
}

// lockedAsRoot wraps a command that changes the machine. The command runs as root, one at a time. With CLUSTER=current
// it only checks the current cluster.
func lockedAsRoot(f func(context.Context, *tool, *node.Node) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		t, err := newTool()
		if err != nil {
			return err
		}
		if yes, err := usesCurrentCluster(); err != nil {
			return err
		} else if yes {
			return t.checkCurrentCluster(cmd.Context())
		}
		if err := requireRoot(); err != nil {
			return err
		}
		held, err := t.reserve(cmd.Context(), commandLine())
		if err != nil {
			return err
		}
		defer held.Release()
		unlock, err := t.lock()
		if err != nil {
			return err
		}
		defer unlock()
		n, err := t.node()
		if err != nil {
			return err
		}
		return f(cmd.Context(), t, n)
	}
}

func (t *tool) installPackages(ctx context.Context) error {
	mode, err := paths.FindProxyMode(os.Getenv)
	if err != nil {
		return err
	}
	missing, err := debian.Missing(ctx, debian.Required(mode))
	if err != nil || len(missing) == 0 {
		return err
	}
	return t.report.Run(ctx, "installing Debian packages: "+strings.Join(missing, " "), func(ctx context.Context) error {
		return debian.Install(ctx, missing)
	})
}

func upgradeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "upgrade",
		Short: "Replace the running programs of Kubernetes by those of the selected versions, the control plane before the node; " +
			"etcd, pods and stored objects stay",
		Args: cobra.NoArgs,
		RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
			set, err := t.builder.All(ctx)
			if err != nil {
				return err
			}
			if err := n.Upgrade(ctx, set); err != nil {
				return err
			}
			t.report.Printf("the cluster runs Kubernetes %s", set.Versions)
			return nil
		}),
	}
}

func statusCommand() *cobra.Command {
	return newCommand("status", cobra.NoArgs,
		"Show whether the cluster is healthy, or what a removed cluster left behind; fails unless healthy",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			yes, err := usesCurrentCluster()
			switch {
			case err != nil:
				return err
			case yes:
				return t.checkCurrentCluster(cmd.Context())
			}
			return t.status(cmd)
		})
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
	unhealthy := n.CheckHealth(cmd.Context())
	if unhealthy == nil {
		fmt.Fprintf(out, "healthy; kubeconfig %s\n", t.state.Kubeconfig())
		return nil
	}
	if running > 0 {
		return fmt.Errorf("the cluster is not healthy: %w", unhealthy)
	}
	leftovers, err := n.Leftovers().List(cmd.Context())
	if err != nil {
		return err
	}
	if len(leftovers) == 0 {
		return fmt.Errorf("there is no cluster, and there are no leftovers")
	}
	return fmt.Errorf("there is no cluster, but there are leftovers (`down` removes them):\n  %s", strings.Join(leftovers, "\n  "))
}

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

func nodeGraceCommand() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "node-grace",
		Short: "Restart the controller manager with another time after which a node that does not report counts as lost",
		Args:  cobra.NoArgs,
		RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
			set, err := t.builder.All(ctx)
			if err != nil {
				return err
			}
			return n.SetNodeGrace(ctx, set, grace)
		}),
	}
	cmd.Flags().DurationVar(&grace, "time", component.DefaultNodeGrace, "more than 10s, in which kubelets report")
	return cmd
}

// localOnly wraps a command that changes the local cluster. It fails with CLUSTER=current.
func localOnly(f func(context.Context, *tool, *node.Node) error) func(*cobra.Command, []string) error {
	run := lockedAsRoot(f)
	return func(cmd *cobra.Command, args []string) error {
		if err := requireLocal(cannotChange); err != nil {
			return err
		}
		return run(cmd, args)
	}
}

// reserve reserves the local cluster for a command, unless a run that started the command has it. It waits while another run has it.
func (t *tool) reserve(ctx context.Context, command string) (*reservation.Reservation, error) {
	run := reservation.Describe(command, time.Now())
	return reservation.Acquire(ctx, reservation.File, run, os.Getenv(reservation.Variable), func(holder string) {
		t.report.Printf("waiting: the local cluster is in use by %s", holder)
	})
}

// reserveCommand keeps the cluster reserved for a program that is not part of this module.
func reserveCommand() *cobra.Command {
	return newCommand("reserve RUN", cobra.ExactArgs(1),
		"Reserve the cluster until standard input ends; print the value of "+reservation.Variable+" for other commands of the run",
		func(cmd *cobra.Command, t *tool, args []string) error {
			held, err := t.reserve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer held.Release()
			fmt.Fprintln(cmd.OutOrStdout(), held.ID)
			return waitForEnd(cmd.Context(), os.Stdin)
		})
}

// waitForEnd waits until input or the context ends. The kernel closes the input when the program at its other end dies.
func waitForEnd(ctx context.Context, input io.Reader) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, bufio.NewReader(input))
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// commandLine returns the command of this process for others.
func commandLine() string { return "cluster " + strings.Join(os.Args[1:], " ") }
