// Command tools is the client and the server that end-to-end tests run in pods: it answers over HTTP and TCP, it calls
// others and counts how they answered, and as an agent it does so whenever a test says so.
//
// Flags and traffic flow in; answers, and reports as JSON on standard output, flow out.
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

// clientCommands are the commands that an agent runs too.
func clientCommands() *cobra.Command {
	root := &cobra.Command{Use: "tools", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(requestCommand(), sessionCommand(), handshakeCommand(), streamCommand())
	return root
}

// say writes a report.
func say(cmd *cobra.Command, report any) error {
	return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
}
