package paths

import (
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables that move the two folders, and the one that says not to start a cluster at all.
const (
	StateVariable   = "OSM_LOCAL_STATE"
	CacheVariable   = "OSM_LOCAL_CACHE"
	ClusterVariable = "CLUSTER"
)

const defaultState = "/var/lib/osm-local"

// maxState bounds the state folder's length: Unix sockets below it must stay under 108 bytes.
const maxState = 50

// State is the folder that holds everything of a running cluster.
type State struct{ Dir string }

// FindState returns the state folder: $OSM_LOCAL_STATE, or /var/lib/osm-local.
func FindState(getenv func(string) string) (State, error) {
	dir := getenv(StateVariable)
	if dir == "" {
		return State{Dir: defaultState}, nil
	}
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" || len(dir) > maxState {
		return State{}, fmt.Errorf("%s is %q; it must be an absolute path of at most %d characters, and not the root", StateVariable, dir, maxState)
	}
	return State{Dir: filepath.Clean(dir)}, nil
}

func (s State) join(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

// Pids holds one pid file a process.
func (s State) Pids() string { return s.join("pids") }

// Logs holds one log file a process.
func (s State) Logs() string { return s.join("logs") }

// PodLogs is where the kubelet keeps containers' output.
func (s State) PodLogs() string { return s.join("logs", "pods") }

// Certs holds the cluster's authorities, certificates and the components' kubeconfigs.
func (s State) Certs() string { return s.join("certs") }

// Config holds rendered configuration files.
func (s State) Config() string { return s.join("config") }

// CNIConfig is the folder that containerd reads network configurations from; nothing else may be in it.
func (s State) CNIConfig() string { return s.join("config", "cni") }

// CNIState holds host-local's address leases.
func (s State) CNIState() string { return s.join("cni") }

// Etcd is etcd's data folder.
func (s State) Etcd() string { return s.join("etcd") }

// Kubelet is the kubelet's root folder.
func (s State) Kubelet() string { return s.join("kubelet") }

// VolumePlugins is an empty folder, for programs that make their default one if they are not given another.
func (s State) VolumePlugins() string { return s.join("kubelet", "volume-plugins") }

// Containerd is containerd's folder; root, state and sockets lie below.
func (s State) Containerd() string { return s.join("containerd") }

// ContainerdSocket is where containerd listens.
func (s State) ContainerdSocket() string { return s.join("containerd", "containerd.sock") }

// Sysctls is the file with the kernel settings as they were before the cluster changed them.
func (s State) Sysctls() string { return s.join("sysctls.json") }

// Stamp is the file that says what the running cluster was started from.
func (s State) Stamp() string { return s.join("stamp") }

// Kubeconfig gives its holder every right in the cluster.
func (s State) Kubeconfig() string { return s.join("kubeconfig") }

// FindCache returns the folder for built programs: $OSM_LOCAL_CACHE, else osm-operator below the user's cache folder.
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
