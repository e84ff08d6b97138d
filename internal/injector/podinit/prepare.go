package podinit

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Prepare prepares the pod for its sidecar. resolverFile is like ResolverFile. It writes the files first, because the redirection without a
// sidecar would cut the pod off.
func Prepare(args []string, getenv func(string) string, dirs bootstrap.Dirs, resolverFile string) error {
	document, err := initconfig.Parse(args)
	if err != nil {
		return err
	}
	pod, err := podFromEnvironment(getenv)
	if err != nil {
		return err
	}
	resolution, err := readDNS(resolverFile)
	if err != nil {
		return err
	}
	config := document.Bootstrap
	config.XDSHost = resolution.hostOf(config.XDSHost)
	config.ServiceAccount, config.Namespace, config.PodIPs, config.Dirs = pod.serviceAccount, pod.namespace, pod.ips, dirs
	config.Region, config.Zone = getenv(names.PodRegionEnv), getenv(names.PodZoneEnv)
	if config.Gateway {
		config.ProxyUUID = getenv(envPodUID)
		if config.Limits, err = gatewayLimits(getenv); err != nil {
			return err
		}
		return writeBootstrap(config)
	}
	if config.Memory, err = memoryLimit(getenv, names.MemoryLimitEnv); err != nil {
		return err
	}
	if err := writeBootstrap(config); err != nil {
		return err
	}
	rules := document.Redirect
	rules.PodIPs = pod.ips
	rules.Resolvers = resolution.servers
	if err := redirect.Apply(rules); err != nil {
		return err
	}
	if err := printRules(rules); err != nil {
		return err
	}
	return verify(rules)
}

// verify fails in a network in which the sidecar would not see the addresses of Services.
func verify(rules redirect.Config) error {
	reached, err := redirect.Verify(rules)
	if err == nil && !reached {
		fmt.Println("the redirection was not verified: no address of the control plane is known, its address is excluded, or it has no pod now")
	}
	return err
}

// gatewayLimits reads the limits of a gateway.
func gatewayLimits(getenv func(string) string) (bootstrap.GatewayLimits, error) {
	var limits bootstrap.GatewayLimits
	if list := getenv(names.GatewayListenersEnv); list != "" {
		limits.Listeners = strings.Split(list, ",")
	}
	var err error
	limits.Memory, err = memoryLimit(getenv, names.GatewayMemoryEnv)
	return limits, err
}

// memoryLimit reads a number of bytes from an environment variable; 0 if it is empty.
func memoryLimit(getenv func(string) string, variable string) (uint64, error) {
	memory := getenv(variable)
	if memory == "" {
		return 0, nil
	}
	bytes, err := strconv.ParseUint(memory, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the environment variable %s is not a number of bytes: %w", variable, err)
	}
	return bytes, nil
}

// writeBootstrap writes the files readable for the sidecar's user. They contain no secrets.
func writeBootstrap(config bootstrap.Config) error {
	files, err := bootstrap.Render(config)
	if err != nil {
		return fmt.Errorf("the sidecar's bootstrap cannot be rendered: %w", err)
	}
	root, err := os.OpenRoot(config.Dirs.Config)
	if err != nil {
		return fmt.Errorf("the directory of the sidecar's bootstrap cannot be opened, check that its volume is mounted: %w", err)
	}
	defer root.Close()
	for _, file := range files {
		const readableByAll = 0o644
		if err := root.WriteFile(file.Name, file.Content, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be written: %w", file.Name, err)
		}
		// The umask of the process may be stricter.
		if err := root.Chmod(file.Name, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be made readable for its user: %w", file.Name, err)
		}
	}
	return nil
}

// printRules prints the rules to the container's log.
func printRules(config redirect.Config) error {
	lines, err := redirect.Rules(config)
	if err != nil {
		return err
	}
	_, err = fmt.Println(strings.Join(lines, "\n"))
	return err
}

// ResolverFile configures name resolution in the pod. The kubelet writes it for all containers.
const ResolverFile = "/etc/resolv.conf"

// dns is the content of a ResolverFile.
type dns struct {
	// servers are the name servers.
	servers []netip.Addr
	// clusterDomain is the domain of the cluster; empty if the pod does not use the cluster's DNS.
	clusterDomain string
}

// readDNS reads a file. A missing file has nothing. Lines that a resolver would ignore are ignored.
func readDNS(file string) (dns, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return dns{}, nil
	}
	if err != nil {
		return dns{}, fmt.Errorf("the name servers of the pod cannot be read: %w", err)
	}
	var d dns
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "nameserver":
			if address, err := netip.ParseAddr(fields[1]); err == nil {
				d.servers = append(d.servers, address)
			}
		case fields[0] == "search":
			d.clusterDomain = clusterDomain(fields[1:])
		}
	}
	return d, nil
}

// clusterDomain returns the domain of the cluster from the search domains of a pod: "<namespace>.svc.<domain> svc.<domain> <domain>".
func clusterDomain(search []string) string {
	for _, domain := range search {
		if domain, found := strings.CutPrefix(strings.TrimSuffix(domain, "."), "svc."); found {
			return domain
		}
	}
	return ""
}

// hostOf returns a host of the control plane in the domain of the cluster. The domain is unknown to the injector.
func (d dns) hostOf(host string) string {
	service, found := strings.CutSuffix(host, "."+names.DefaultClusterDomain)
	if !found || d.clusterDomain == "" {
		return host
	}
	return service + "." + d.clusterDomain
}

// Environment variables that the kubelet sets from the pod's fields.
const (
	envPodIP          = "POD_IP"
	envPodIPs         = "POD_IPS"
	envPodName        = "POD_NAME"
	envPodNamespace   = "POD_NAMESPACE"
	envPodUID         = "POD_UID"
	envServiceAccount = "SERVICE_ACCOUNT"
)

// pod holds the metadata of the pod that is only known at its start.
type pod struct {
	namespace, serviceAccount string
	ips                       []netip.Addr
}

func podFromEnvironment(getenv func(string) string) (pod, error) {
	var problems []error
	for _, name := range []string{envPodIP, envPodIPs, envPodName, envPodNamespace, envPodUID, envServiceAccount} {
		if getenv(name) == "" {
			problems = append(problems, fmt.Errorf("the environment variable %s is empty: the injector sets it from the pod's fields", name))
		}
	}
	if problems != nil {
		return pod{}, errors.Join(problems...)
	}
	p := pod{namespace: getenv(envPodNamespace), serviceAccount: getenv(envServiceAccount)}
	for _, text := range strings.Split(getenv(envPodIPs), ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return pod{}, fmt.Errorf("the environment variable %s holds %q, which is not an IP address", envPodIPs, text)
		}
		p.ips = append(p.ips, ip)
	}
	return p, nil
}

// CopyLauncher copies the launcher of the slots out of the image of osm-init. A pod with one sidecar has no directory for it.
func CopyLauncher(program, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("the launcher of the sidecar's slots cannot be read: %w", err)
	}
	const executableByAll = 0o755
	// A program that runs cannot be written, so it is replaced.
	path := filepath.Join(dir, names.LauncherFile)
	if err := os.WriteFile(path+".new", content, executableByAll); err != nil {
		return fmt.Errorf("the launcher of the sidecar's slots cannot be written: %w", err)
	}
	// The umask of the process may be stricter.
	return errors.Join(os.Chmod(path+".new", executableByAll), os.Rename(path+".new", path))
}
