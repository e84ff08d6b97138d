package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/cgroup"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
	"github.com/openservicemesh/osm-operator/hack/internal/leftovers"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// Node is the machine as the node of a cluster.
type Node struct {
	State   paths.State
	Plan    network.Plan
	Report  *progress.Reporter
	group   cgroup.Group
	daemons process.Manager
	sysctls network.Sysctls
}

// New returns a node with its state in the given folder.
func New(state paths.State, plan network.Plan, report *progress.Reporter) (*Node, error) {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	group := cgroup.Group{Name: component.RootCgroup, Hierarchies: hierarchies}
	return &Node{
		State:  state,
		Plan:   plan,
		Report: report,
		group:  group,
		daemons: process.Manager{
			PidDir: state.Pids(), LogDir: state.Logs(), Proc: "/proc", Adopt: group.Child("daemons").Add,
		},
		sysctls: network.Sysctls{Root: "/proc/sys", Record: state.Sysctls()},
	}, nil
}

// Leftovers returns the view of everything that the cluster created on the machine.
func (n *Node) Leftovers() leftovers.Machine {
	return leftovers.Machine{State: n.State, Plan: n.Plan, Group: n.group, Processes: n.daemons, Sysctls: n.sysctls}
}

// Images returns the node's containerd, with the client from the given assets.
func (n *Node) Images(set assets.Set) imageload.Containerd {
	return imageload.Containerd{Ctr: filepath.Join(set.Containerd, "ctr"), Socket: n.State.ContainerdSocket()}
}

// Process is the state of one of the cluster's processes.
type Process struct {
	Name string
	// Pid is 0 if the process is not running.
	Pid int
}

// Processes lists all processes of a cluster in start order.
func (n *Node) Processes() []Process {
	var list []Process
	for _, name := range component.Names() {
		p := Process{Name: name}
		if id, alive := n.daemons.Find(name); alive {
			p.Pid = id.Pid
		}
		list = append(list, p)
	}
	return list
}

// Stamp returns the key of the assets that the running cluster was started with, or "".
func (n *Node) Stamp() string {
	content, err := os.ReadFile(n.State.Stamp())
	if err != nil {
		return ""
	}
	return string(content)
}

// prepare creates everything that must exist before the first program starts.
func (n *Node) prepare(c component.Cluster) error {
	for _, dir := range []string{
		n.State.Pids(), n.State.PodLogs(), n.State.Certs(), n.State.CNIConfig(), n.State.CNIState(), n.State.Etcd(), n.State.Kubelet(), n.State.Containerd(),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	loadModules()
	// The earlier values are recorded first, so that `down` can restore them from here on.
	if err := n.sysctls.Apply(); err != nil {
		return err
	}
	if err := n.group.Child("daemons").Create(); err != nil {
		return err
	}
	if err := network.CreateBridge(n.Plan); err != nil {
		return err
	}
	if err := certs.Write(n.State.Certs(), n.Plan, time.Now()); err != nil {
		return err
	}
	return n.configure(c)
}

// loadModules loads kernel modules that are not always present. Errors are ignored: many kernels have them built in. If
// one is really missing, the settings or mounts that need it fail with their own error.
func loadModules() {
	_ = exec.Command("modprobe", "--quiet", "--all", "br_netfilter", "overlay").Run()
}

func (n *Node) configure(c component.Cluster) error {
	files, err := c.Render()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(n.State.Config(), name), content, 0o644); err != nil {
			return err
		}
	}
	admin, err := os.ReadFile(filepath.Join(n.State.Certs(), certs.AdminUser+".kubeconfig"))
	if err != nil {
		return err
	}
	return os.WriteFile(n.State.Kubeconfig(), admin, 0o600)
}

// RejectWrites makes etcd reject all writes, as it does when its storage is full. The API server still reads and deletes.
func (n *Node) RejectWrites(ctx context.Context) error { return n.storageAlarm(ctx, "ACTIVATE") }

// AcceptWrites ends the effect of RejectWrites.
func (n *Node) AcceptWrites(ctx context.Context) error { return n.storageAlarm(ctx, "DEACTIVATE") }

// storageAlarm activates or deactivates etcd's alarm for full storage, by its HTTP interface. Any member ID serves, as long as both calls name it.
func (n *Node) storageAlarm(ctx context.Context, action string) error {
	client, err := newClient(n.State.Certs(), certs.APIServerEtcd, certs.EtcdCA)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"action": %q, "memberID": "1", "alarm": "NOSPACE"}`, action)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, component.EtcdURL+"/v3/maintenance/alarm", bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("etcd cannot be reached: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("etcd responded with %s: %.200s", response.Status, text)
	}
	return nil
}
