package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

func main() {
	entrypoint.Main("error", rootCommand().ExecuteContext)
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
	root.AddCommand(upCommand(), downCommand(), statusCommand(), checkCommand(), loadCommand(), loadVersionCommand(), versionFilesCommand(), loadServersCommand(), apiServerCommand(), reserveCommand(), envCommand())
	root.AddCommand(slices.Concat(pathCommands(), thirdPartyCommands())...)
	return root
}

// newCommand returns a command that does not lock the cluster.
func newCommand(use string, args cobra.PositionalArgs, short string, run func(*cobra.Command, *tool, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, arguments []string) error {
		t, err := newTool()
		if err != nil {
			return err
		}
		return run(cmd, t, arguments)
	}}
}

// tool holds what every command uses.
type tool struct {
	report  *progress.Reporter
	builder assets.Builder
	state   paths.State
}

func newTool() (*tool, error) {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return nil, err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return nil, err
	}
	hack, err := assets.FindHack()
	if err != nil {
		return nil, err
	}
	// Progress goes to standard error; standard output is for other programs to read.
	report := progress.New(os.Stderr, time.Now)
	return &tool{
		report:  report,
		builder: assets.Builder{Hack: hack, Cache: build.Cache{Dir: cache}, Report: report},
		state:   state,
	}, nil
}

func (t *tool) node() (*node.Node, error) { return node.New(t.state, network.Default(), t.report) }

// lock prevents two commands from changing the cluster at the same time. The second waits for the first.
func (t *tool) lock() (func(), error) {
	return build.Lock(filepath.Join(t.builder.Cache.Dir, "cluster.lock"))
}

// requireRoot returns an error for an ordinary user.
func requireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("run this command as root: it creates control groups, mounts and network interfaces")
	}
	return nil
}

// usesCurrentCluster reports whether CLUSTER selects the kubeconfig's cluster instead of the local one.
func usesCurrentCluster() (bool, error) {
	switch v := os.Getenv(paths.ClusterVariable); v {
	case "", "local":
		return false, nil
	case "current":
		return true, nil
	default:
		return false, fmt.Errorf("%s is %q; it must be \"local\" (the default) or \"current\"", paths.ClusterVariable, v)
	}
}

// Why commands fail with CLUSTER=current.
const (
	cannotLoad   = "images cannot be loaded onto the nodes of this cluster; push them to a registry that it pulls from"
	cannotChange = "nothing is stopped, started or installed in a cluster that this tool did not create"
)

// requireLocal returns an error with the reason if CLUSTER selects the kubeconfig's cluster.
func requireLocal(reason string) error {
	yes, err := usesCurrentCluster()
	if err == nil && yes {
		err = fmt.Errorf("CLUSTER=current: %s", reason)
	}
	return err
}

// quote returns the string as one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
