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
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cluster",
		Short: "A one-node Kubernetes cluster on this machine",
		Long: `Runs a one-node Kubernetes cluster on this Debian machine, as root, from programs that it builds and caches.

  OSM_LOCAL_STATE   folder of the running cluster (default /var/lib/osm-local)
  OSM_LOCAL_CACHE   folder of built programs (default osm-operator in the user's cache folder)
  CLUSTER=current   use the kubeconfig's current cluster: up and down change nothing`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), statusCommand(), checkCommand(), loadCommand(), loadVersionCommand(), versionFilesCommand(), certManagerCommand(), approverPolicyCommand(), vaultCommand(), loadServersCommand(), persesCommand(), apiServerCommand(), reserveCommand(), envCommand(), kubeconfigCommand(), assetsCommand())
	root.AddCommand(thirdPartyCommands()...)
	return root
}
