package node

import (
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
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
