// Command tools is the client and the server that end-to-end tests run in pods: it answers over HTTP and TCP, and it calls
// others and counts how they answered.
//
// Flags and traffic flow in; answers, and summaries as JSON on standard output, flow out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "tools", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(serveCommand(), requestCommand(), sessionCommand(), waitCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// waitCommand keeps a pod alive for tests that run commands in it.
func waitCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "wait",
		Args: cobra.NoArgs,
		Run:  func(cmd *cobra.Command, _ []string) { <-cmd.Context().Done() },
	}
}
