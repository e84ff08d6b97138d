package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := clientCommands()
	root.AddCommand(serveCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// clientCommands returns the commands that an agent can run.
func clientCommands() *cobra.Command {
	root := &cobra.Command{Use: "tools", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(requestCommand(), sessionCommand(), handshakeCommand(), streamCommand(), signalCommand())
	return root
}

// printReport writes a report as JSON.
func printReport(cmd *cobra.Command, report any) error {
	return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
}

// signals are the signals that a test can send.
var signals = map[string]syscall.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}

func signalCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "signal PROGRAM STOP|CONT",
		Short: "send a signal to all processes of a program in the pod, which must share its processes",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			signal, ok := signals[args[1]]
			if !ok {
				return fmt.Errorf("the signal %q is unknown: use STOP or CONT", args[1])
			}
			return signalProgram("/proc", args[0], signal, syscall.Kill)
		},
	}
}

// signalProgram sends a signal to the processes of a program. It is an error if there are none.
func signalProgram(proc, program string, signal syscall.Signal, kill func(int, syscall.Signal) error) error {
	files, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm"))
	if err != nil {
		return err
	}
	found := false
	for _, file := range files {
		// A process can end while the list is read.
		name, err := os.ReadFile(file)
		pid, notNumber := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || notNumber != nil || strings.TrimSpace(string(name)) != program {
			continue
		}
		if err := kill(pid, signal); err != nil {
			return fmt.Errorf("process %d of %s: %w", pid, program, err)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("no process of %s runs in this pod: set shareProcessNamespace", program)
	}
	return nil
}
