package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/acceptance"
	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
	"github.com/openservicemesh/osm-operator/hack/internal/machine"
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
With --machine it runs on a simulated machine (see "cluster machine"), next to the cluster of the host.

  OSM_LOCAL_KUBERNETES  minor version of Kubernetes, such as 1.30 (default: that of the tests)
  OSM_LOCAL_KUBELET     minor version of kubelet and kube-proxy, if it is older
  OSM_LOCAL_FAMILY      IPv6 for a cluster without IPv4 (default: both families)
  OSM_LOCAL_PROXY       mode of kube-proxy: nftables (default) or iptables
  OSM_LOCAL_STATE       folder of the running cluster (default /var/lib/osm-local)
  OSM_LOCAL_CACHE       folder of built programs (default osm-operator in the user's cache folder)
  CLUSTER=current       use the kubeconfig's current cluster: up and down change nothing`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().String(machineFlag, "", "run the command on a simulated machine of this name, which must run")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return moveToMachine(cmd) }
	root.AddCommand(upCommand(), downCommand(), upgradeCommand(), statusCommand(), checkCommand())
	root.AddCommand(machineCommand(), envCommand(), apiServerCommand(), nodeGraceCommand(), reserveCommand())
	root.AddCommand(loadCommand(), loadVersionCommand(), versionFilesCommand(), loadServersCommand(), loadOSMCommand())
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
	// number is that of the machine, 0 on the host.
	number int
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
	number, err := paths.FindNumber(os.Getenv, network.MaxNumber)
	if err != nil {
		return nil, err
	}
	hack, err := assets.FindHack()
	if err != nil {
		return nil, err
	}
	versions, err := assets.FindVersions(hack, os.Getenv)
	if err != nil {
		return nil, err
	}
	// Progress goes to standard error; standard output is for other programs to read.
	report := progress.New(os.Stderr, time.Now)
	return &tool{
		report:  report,
		builder: assets.Builder{Hack: hack, Cache: build.Cache{Dir: cache}, Report: report, Versions: versions},
		state:   state,
		number:  number,
	}, nil
}

func (t *tool) node() (*node.Node, error) {
	sysctls := network.Sysctls{Root: "/proc/sys", Record: t.state.Sysctls(), Other: machine.Record(machine.DefaultDir)}
	if t.number > 0 {
		sysctls.Other, sysctls.OwnOnly = "", true
	}
	plan := network.Numbered(t.number)
	var err error
	if plan.IPv6Only, err = paths.FindIPv6Only(os.Getenv); err != nil {
		return nil, err
	}
	if plan.ProxyMode, err = paths.FindProxyMode(os.Getenv); err != nil {
		return nil, err
	}
	if _, err := os.Stat(t.state.Worker()); err == nil {
		host := network.Default()
		host.IPv6Only, host.ProxyMode = plan.IPv6Only, plan.ProxyMode
		plan = host.Worker(t.number)
	}
	return node.New(t.state, plan, sysctls, t.report)
}

// lock prevents two commands from changing the cluster at the same time. The second waits for the first.
func (t *tool) lock() (func(), error) {
	name := "cluster.lock"
	if t.number > 0 {
		name = fmt.Sprintf("cluster-%d.lock", t.number)
	}
	return build.Lock(filepath.Join(t.builder.Cache.Dir, name))
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

func loadCommand() *cobra.Command {
	return newCommand("load ARCHIVE...", cobra.MinimumNArgs(1),
		"Load images from OCI archives onto the node, by tag and by digest; images already present are skipped",
		func(cmd *cobra.Command, t *tool, archives []string) error {
			if err := requireLocal(cannotLoad); err != nil {
				return err
			}
			return t.load(cmd, archives)
		})
}

func (t *tool) load(cmd *cobra.Command, archives []string) error {
	held, err := t.reserve(cmd.Context(), commandLine())
	if err != nil {
		return err
	}
	defer held.Release()
	images, inventory, err := t.store(cmd.Context())
	if err != nil {
		return err
	}
	for _, archive := range archives {
		result, err := images.Load(cmd.Context(), inventory, archive)
		if err != nil {
			return err
		}
		for _, image := range result.Images {
			t.reportLoaded(result, image.Tagged+", "+image.Canonical)
		}
	}
	return nil
}

func (t *tool) reportLoaded(result imageload.Result, names string) {
	verb := "loaded"
	if result.Present {
		verb = "already there"
	}
	t.report.Printf("%s: %s", verb, names)
}

// pathCommands returns the commands that print a path or a name.
func pathCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, c := range []struct {
		use, short string
		path       func(*tool, context.Context) (string, error)
	}{
		{"node-name", "Print the name of the node on this machine", (*tool).nodeName},
		{"kubeconfig", "Print the path of the cluster's kubeconfig", (*tool).kubeconfig},
		{"assets", "Build kube-apiserver, etcd and kubectl if needed and print their folder, for KUBEBUILDER_ASSETS", (*tool).kubernetes},
		{"perses-path", "Build Perses if needed and print the folder with its server and plugins", (*tool).perses},
	} {
		commands = append(commands, newCommand(c.use, cobra.NoArgs, c.short, func(cmd *cobra.Command, t *tool, _ []string) error {
			path, err := c.path(t, cmd.Context())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		}))
	}
	return commands
}

func (t *tool) nodeName(context.Context) (string, error) {
	n, err := t.node()
	if err != nil {
		return "", err
	}
	return n.Plan.NodeName, nil
}

func (t *tool) kubernetes(ctx context.Context) (string, error) { return t.builder.KubernetesOnly(ctx) }

func (t *tool) perses(ctx context.Context) (string, error) { return t.builder.Perses(ctx) }

func (t *tool) kubeconfig(context.Context) (string, error) {
	yes, err := usesCurrentCluster()
	if err == nil && yes {
		return currentKubeconfig(), nil
	}
	return t.state.Kubeconfig(), err
}

func envCommand() *cobra.Command {
	return newCommand("env", cobra.NoArgs,
		"Print shell commands that configure kubectl and envtest: eval \"$(go run ./cluster env)\"",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			kubernetes, err := t.builder.KubernetesOnly(cmd.Context())
			if err != nil {
				return err
			}
			file, err := t.kubeconfig(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\nexport PATH=%s:\"$PATH\"\nexport KUBEBUILDER_ASSETS=%s\n",
				quote(file), quote(kubernetes), quote(filepath.Clean(kubernetes)))
			return err
		})
}

func checkCommand() *cobra.Command {
	return newCommand("check", cobra.NoArgs,
		"Test the running cluster: DNS, address families, exec, logs, port-forward, tokens, policies, sidecars",
		func(cmd *cobra.Command, t *tool, _ []string) error { return t.check(cmd) })
}

func (t *tool) check(cmd *cobra.Command) error {
	n, err := t.node()
	if err != nil {
		return err
	}
	if err := n.CheckHealth(cmd.Context()); err != nil {
		return fmt.Errorf("there is no healthy cluster to check: %w", err)
	}
	set, err := t.builder.All(cmd.Context())
	if err != nil {
		return err
	}
	// The inventory is nil because importing this small image again is cheap.
	loaded, err := n.Images(set).Load(cmd.Context(), nil, filepath.Join(set.NodeImages, assets.ProbeArchive))
	if err != nil {
		return err
	}
	return acceptance.Cluster{
		Kubectl:    filepath.Join(set.Kubernetes, "kubectl"),
		Kubeconfig: t.state.Kubeconfig(),
		Namespace:  fmt.Sprintf("acceptance-%d", os.Getpid()),
		ByTag:      loaded.Images[0].Tagged,
		ByDigest:   loaded.Images[0].Canonical,
		IPv6Only:   n.Plan.IPv6Only,
	}.Run(cmd.Context(), t.report)
}

// checkCurrentCluster checks that the kubeconfig's current cluster responds, and reports its context.
func (t *tool) checkCurrentCluster(ctx context.Context) error {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		dir, err := t.builder.KubernetesOnly(ctx)
		if err != nil {
			return err
		}
		kubectl = filepath.Join(dir, "kubectl")
	}
	name, err := exec.CommandContext(ctx, kubectl, "config", "current-context").CombinedOutput()
	if err != nil {
		return fmt.Errorf("CLUSTER=current, but the kubeconfig has no current context: %s", strings.TrimSpace(string(name)))
	}
	context := strings.TrimSpace(string(name))
	if out, err := exec.CommandContext(ctx, kubectl, "get", "--raw", "/readyz", "--request-timeout=10s").CombinedOutput(); err != nil {
		return fmt.Errorf("the current cluster %s does not respond: %s", context, strings.TrimSpace(string(out)))
	}
	t.report.Printf("CLUSTER=current: using the cluster of context %s, which responds; nothing is started, stopped or loaded", context)
	return nil
}

// currentKubeconfig returns the first file that kubectl would load.
func currentKubeconfig() string {
	if list := filepath.SplitList(os.Getenv("KUBECONFIG")); len(list) > 0 {
		return list[0]
	}
	homeFolder, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(homeFolder, ".kube", "config")
}
