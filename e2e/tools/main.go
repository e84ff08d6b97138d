package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
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
