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

	"github.com/openservicemesh/osm-operator/hack/internal/reservation"
)

// reserve reserves the local cluster for a command, unless a run that started the command has it. It waits while another run has it.
func (t *tool) reserve(ctx context.Context, command string) (*reservation.Reservation, error) {
	run := reservation.Describe(command, time.Now())
	return reservation.Acquire(ctx, reservation.File, run, os.Getenv(reservation.Variable), func(holder string) {
		t.report.Printf("waiting: the local cluster is in use by %s", holder)
	})
}

// reserveCommand keeps the cluster reserved for a program that is not part of this module.
func reserveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reserve RUN",
		Short: "Reserve the cluster until standard input ends; print the value of " + reservation.Variable + " for other commands of the run",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			held, err := t.reserve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer held.Release()
			fmt.Fprintln(cmd.OutOrStdout(), held.ID)
			return waitForEnd(cmd.Context(), os.Stdin)
		},
	}
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
