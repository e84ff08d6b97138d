package paths

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Environment variables for the two folders, for the machine of the cluster, and for using another cluster instead of starting one.
const (
	StateVariable   = "OSM_LOCAL_STATE"
	CacheVariable   = "OSM_LOCAL_CACHE"
	NumberVariable  = "OSM_LOCAL_NUMBER"
	FamilyVariable  = "OSM_LOCAL_FAMILY"
	ProxyVariable   = "OSM_LOCAL_PROXY"
	ClusterVariable = "CLUSTER"
)

// Modes of kube-proxy.
const (
	Nftables = "nftables"
	Iptables = "iptables"
)

const defaultState = "/var/lib/osm-local"

// maxState limits the length of the state folder's path: paths of Unix sockets below it must be shorter than 108 bytes.
const maxState = 50

// State is the folder of a running cluster.
type State struct{ Dir string }

// FindState returns the state folder: $OSM_LOCAL_STATE, or /var/lib/osm-local.
func FindState(getenv func(string) string) (State, error) {
	dir := getenv(StateVariable)
	if dir == "" {
		return State{Dir: defaultState}, nil
	}
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" || len(dir) > maxState {
		return State{}, fmt.Errorf("%s is %q; it must be an absolute path of at most %d characters other than the root", StateVariable, dir, maxState)
	}
	return State{Dir: filepath.Clean(dir)}, nil
}

// FindIPv6Only reports whether a cluster has no IPv4: $OSM_LOCAL_FAMILY is IPv6. Without the variable it has both families.
func FindIPv6Only(getenv func(string) string) (bool, error) {
	switch family := getenv(FamilyVariable); family {
	case "":
		return false, nil
	case "IPv6":
		return true, nil
	default:
		return false, fmt.Errorf("%s is %q; it must be \"IPv6\", or empty for both families", FamilyVariable, family)
	}
}

// FindProxyMode returns the mode of kube-proxy: $OSM_LOCAL_PROXY, or Nftables.
func FindProxyMode(getenv func(string) string) (string, error) {
	mode := cmp.Or(getenv(ProxyVariable), Nftables)
	if mode != Nftables && mode != Iptables {
		return "", fmt.Errorf("%s is %q; it must be %q or %q", ProxyVariable, mode, Nftables, Iptables)
	}
	return mode, nil
}

// FindNumber returns the number of the machine on which this program runs: $OSM_LOCAL_NUMBER, or 0 for the host. It is at most limit.
func FindNumber(getenv func(string) string, limit int) (int, error) {
	text := getenv(NumberVariable)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%s is %q; it must be a number from 0 to %d", NumberVariable, text, limit)
	}
	return n, nil
}

func (s State) join(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

// Pids returns the folder of pid files, one per process.
func (s State) Pids() string { return s.join("pids") }

// Logs returns the folder of log files, one per process.
func (s State) Logs() string { return s.join("logs") }

// AuditLog returns the file in which the API server records the requests of service accounts.
func (s State) AuditLog() string { return s.join("logs", "audit.log") }

// PodLogs returns the folder where the kubelet writes container logs.
func (s State) PodLogs() string { return s.join("logs", "pods") }

// Certs returns the folder of the authorities, certificates and the kubeconfigs of components.
func (s State) Certs() string { return s.join("certs") }

// Config returns the folder of rendered configuration files.
func (s State) Config() string { return s.join("config") }

// CNIConfig returns the folder of network configurations. containerd reads every file in it.
func (s State) CNIConfig() string { return s.join("config", "cni") }

// CNIState returns the folder of host-local's address leases.
func (s State) CNIState() string { return s.join("cni") }

// Etcd returns the data folder of etcd.
func (s State) Etcd() string { return s.join("etcd") }

// Kubelet returns the root folder of the kubelet.
func (s State) Kubelet() string { return s.join("kubelet") }

// VolumePlugins returns an empty folder. It replaces the default that some programs would create.
func (s State) VolumePlugins() string { return s.join("kubelet", "volume-plugins") }

// Containerd returns the folder of containerd's root, state and sockets.
func (s State) Containerd() string { return s.join("containerd") }

// ContainerdState returns the folder of what containerd knows of running containers.
func (s State) ContainerdState() string { return s.join("containerd", "state") }

// ContainerdSocket returns the path of containerd's socket.
func (s State) ContainerdSocket() string { return s.join("containerd", "containerd.sock") }

// Sysctls returns the file with the kernel settings from before the cluster.
func (s State) Sysctls() string { return s.join("sysctls.json") }

// Worker returns the file that makes the machine a further node of a cluster. It contains the folder of the cluster's certificates.
func (s State) Worker() string { return s.join("worker") }

// Stamp returns the file with the key of the assets that the cluster was started with.
func (s State) Stamp() string { return s.join("stamp") }

// Kubeconfig returns the kubeconfig of the cluster administrator.
func (s State) Kubeconfig() string { return s.join("kubeconfig") }

// FindCache returns the folder of built programs: $OSM_LOCAL_CACHE, or osm-operator below the user's cache folder.
func FindCache(getenv func(string) string) (string, error) {
	if dir := getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no cache folder: set %s or HOME: %w", CacheVariable, err)
	}
	return filepath.Join(base, "osm-operator"), nil
}
