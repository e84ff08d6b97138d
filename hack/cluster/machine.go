package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/hack/internal/machine"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// machineFlag selects the machine of a command.
const machineFlag = "machine"

func machineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "machine",
		Short: "Simulate more machines on this one, each with its own network, processes and control groups",
	}
	cmd.AddCommand(machineStartCommand(), machineStopCommand(), machineJoinCommand(), machineRebootCommand(), machineListCommand(), machineRunCommand())
	for _, c := range []struct {
		use, short string
		do         func(h *machine.Host, one, other string) error
	}{
		{"connect ONE OTHER", "Let pods and programs of two machines reach each other's pods and Services; \"host\" is this machine", (*machine.Host).Connect},
		{"partition ONE OTHER", "Let two machines lose all packets for each other's pods and Services", (*machine.Host).Partition},
		{"heal ONE OTHER", "End a partition", (*machine.Host).Heal},
	} {
		run := func(_ context.Context, _ *tool, h *machine.Host, args []string) error {
			return c.do(h, args[0], args[1])
		}
		cmd.AddCommand(&cobra.Command{Use: c.use, Short: c.short, Args: cobra.ExactArgs(2), RunE: onHost(run)})
	}
	cmd.AddCommand(hiddenMachineCommands()...)
	return cmd
}

// hiddenMachineCommands are the programs of which a machine consists.
func hiddenMachineCommands() []*cobra.Command {
	return []*cobra.Command{
		{Use: "launch FOLDER", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			h, err := newHost()
			if err != nil {
				return err
			}
			pid, err := h.Launch(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), pid)
			return err
		}},
		{Use: "init FOLDER", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			state, err := paths.FindState(os.Getenv)
			if err != nil {
				return err
			}
			return machine.Init(args[0], state.Dir)
		}},
	}
}

// onHost wraps a command that changes machines. It runs as root on the host, one at a time.
func onHost(f func(context.Context, *tool, *machine.Host, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(requireRoot(), requireLocal(cannotChange)); err != nil {
			return err
		}
		t, err := newTool()
		if err != nil {
			return err
		}
		if t.number > 0 {
			return errors.New("machines are started, stopped and connected on the host, not on a machine")
		}
		unlock, err := machine.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		h, err := newHost()
		if err != nil {
			return err
		}
		return f(cmd.Context(), t, h, args)
	}
}

func newHost() (*machine.Host, error) {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return nil, err
	}
	return machine.New(machine.DefaultDir, state.Sysctls())
}

func machineStartCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start NAME",
		Short: "Start a machine; one that runs is kept, and leftovers of one that does not are removed",
		Args:  cobra.ExactArgs(1),
		RunE: onHost(func(ctx context.Context, t *tool, h *machine.Host, args []string) error {
			m, err := h.Start(ctx, args[0])
			if err != nil {
				return err
			}
			plan := network.Numbered(m.Number)
			t.report.Printf("machine %s runs: pods %s, Services %s; `cluster --machine %s up` starts a cluster on it", m.Name, plan.PodV4, plan.ServiceV4, m.Name)
			return nil
		}),
	}
}

func machineStopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop [NAME]",
		Short: "Kill everything on a machine and remove it; without a name all machines, and what is left of earlier ones",
		Args:  cobra.MaximumNArgs(1),
		RunE: onHost(func(ctx context.Context, _ *tool, h *machine.Host, args []string) error {
			if len(args) == 0 {
				return h.StopAll(ctx)
			}
			return h.Stop(ctx, args[0])
		}),
	}
}

func machineJoinCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "join NAME",
		Short: "Start a machine as a further node of the host's cluster",
		Args:  cobra.ExactArgs(1),
		RunE: onHost(func(ctx context.Context, t *tool, h *machine.Host, args []string) error {
			if n, err := t.node(); err != nil {
				return err
			} else if err := n.CheckHealth(ctx); err != nil {
				return fmt.Errorf("there is no healthy cluster to join: %w", err)
			}
			m, err := h.Start(ctx, args[0])
			if err != nil {
				return err
			}
			if err := h.Join(m); err != nil {
				return err
			}
			if err := node.MakeWorker(paths.State{Dir: m.State()}, t.state); err != nil {
				return err
			}
			return upOn(ctx, m)
		}),
	}
}

func machineRebootCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reboot NAME",
		Short: "Kill everything on a further node of the host's cluster, and start it again with what its disk has",
		Args:  cobra.ExactArgs(1),
		RunE: onHost(func(ctx context.Context, _ *tool, h *machine.Host, args []string) error {
			m, err := h.Reboot(ctx, args[0])
			if err != nil {
				return err
			}
			return upOn(ctx, m)
		}),
	}
}

// upOn starts the node on a machine, as "cluster --machine NAME up" does.
func upOn(ctx context.Context, m machine.Machine) error {
	up := exec.CommandContext(ctx, "/proc/self/exe", "--"+machineFlag, m.Name, "up")
	up.Stdout, up.Stderr = os.Stdout, os.Stderr
	return up.Run()
}

func machineListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List machines; fails if something is left of machines that do not run any more",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := newHost()
			if err != nil {
				return err
			}
			all, err := h.List()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			fmt.Fprintln(table, "NAME\tNUMBER\tPID\tKUBECONFIG")
			for _, m := range all {
				fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", m.Name, m.Number, pidOf(m), paths.State{Dir: m.State()}.Kubeconfig())
			}
			if err := table.Flush(); err != nil {
				return err
			}
			left, err := h.Leftovers()
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("there are leftovers (`cluster machine stop` removes them): %q", left)
			}
			return err
		},
	}
}

func pidOf(m machine.Machine) string {
	if m.Pid == 0 {
		return "not running"
	}
	return strconv.Itoa(m.Pid)
}

func machineRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "run NAME COMMAND [ARGUMENT...]",
		Short:              "Run a command on a machine, in this folder",
		DisableFlagParsing: true,
		Args:               cobra.MinimumNArgs(2),
		RunE:               func(_ *cobra.Command, args []string) error { return execOn(args[0], args[1:]) },
	}
}

// moveToMachine runs this program again on the machine that the flag selects, in place of this process.
func moveToMachine(cmd *cobra.Command) error {
	name, err := cmd.Flags().GetString(machineFlag)
	if err != nil || name == "" || os.Getenv(paths.NumberVariable) != "" {
		return nil //nolint:nilerr // a command that parses no flags has none
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return execOn(name, append([]string{self}, os.Args[1:]...))
}

// execOn replaces this process by a command on a machine.
func execOn(name string, command []string) error {
	if err := errors.Join(requireRoot(), requireLocal(cannotChange)); err != nil {
		return err
	}
	h, err := newHost()
	if err != nil {
		return err
	}
	m, err := h.Find(name)
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("install util-linux, which has nsenter: %w", err)
	}
	arguments, err := h.Enter(m, command)
	if err != nil {
		return err
	}
	environment := append(os.Environ(), paths.StateVariable+"="+m.State(), paths.NumberVariable+"="+strconv.Itoa(m.Number))
	return unix.Exec(nsenter, arguments, environment)
}
