package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// FirstNode is the node of the local cluster.
const FirstNode = "osm-local"

// Node is a further node of the local cluster, on a simulated machine.
type Node struct {
	// Name is the name of the node.
	Name string

	cluster *Cluster
	machine string
	out     io.Writer
}

// JoinNode starts a machine as a further node of the local cluster, with the images that were built. The tools print their progress to out.
func (c *Cluster) JoinNode(ctx context.Context, out io.Writer, machine string) (*Node, error) {
	n := &Node{cluster: c, machine: machine, out: out}
	if err := n.tool(ctx, "machine", "join", machine); err != nil {
		return nil, err
	}
	archives, err := filepath.Glob(c.Repository.Path("bin", "images", "*.tar"))
	if err != nil {
		return nil, err
	}
	if err := n.tool(ctx, append([]string{"--machine", machine, "load"}, archives...)...); err != nil {
		return nil, err
	}
	// The host name of the machine is not that of its node.
	name, err := c.Repository.ToolOutput(ctx, "./cluster", "--machine", machine, "node-name")
	n.Name = name
	return n, err
}

// tool runs a command of hack/cluster.
func (n *Node) tool(ctx context.Context, args ...string) error {
	return n.cluster.Repository.Tool(ctx, n.out, append([]string{"./cluster"}, args...)...)
}

// Reboot kills everything on the node and starts it again with what its disk has.
func (n *Node) Reboot(ctx context.Context) error { return n.tool(ctx, "machine", "reboot", n.machine) }

// Partition lets the node and the first one lose all packets for each other, until Heal.
func (n *Node) Partition(ctx context.Context) error {
	return n.tool(ctx, "machine", "partition", "host", n.machine)
}

// Heal ends a Partition.
func (n *Node) Heal(ctx context.Context) error {
	return n.tool(ctx, "machine", "heal", "host", n.machine)
}

// Load loads an archive of images on the node.
func (n *Node) Load(ctx context.Context, archive string) error {
	return n.tool(ctx, "--machine", n.machine, "load", archive)
}

// Lose lets the node vanish as without power: nothing that it sends arrives any more, also not that its connections end. The node object remains.
func (n *Node) Lose(ctx context.Context) error {
	if err := n.Partition(ctx); err != nil {
		return err
	}
	return n.tool(ctx, "machine", "stop", n.machine)
}

// SetNodeGrace sets after how long without a report a node counts as lost; zero for the time of a new cluster, five minutes.
func (c *Cluster) SetNodeGrace(ctx context.Context, out io.Writer, grace time.Duration) error {
	args := []string{"./cluster", "node-grace"}
	if grace > 0 {
		args = append(args, "--time", grace.String())
	}
	return c.Repository.Tool(ctx, out, args...)
}

// Leave stops the machine and removes the node from the cluster.
func (n *Node) Leave(ctx context.Context) error {
	// Its kubelet would create a deleted node again.
	err := n.tool(ctx, "machine", "stop", n.machine)
	_, failed := n.cluster.Kubectl(ctx, "delete", "--ignore-not-found", "--wait=false", "node", n.Name)
	return errors.Join(err, failed)
}

// Node returns a node by its name. Only Cordon, Drain and Uncordon work if JoinNode did not make it.
func (c *Cluster) Node(name string) *Node { return &Node{Name: name, cluster: c} }

// Cordon keeps new pods from the node, until Uncordon.
func (n *Node) Cordon(ctx context.Context) error {
	_, err := n.cluster.Kubectl(ctx, "cordon", n.Name)
	return err
}

// Drain evicts all pods from the node, as before maintenance. Nothing new is scheduled there until Uncordon.
func (n *Node) Drain(ctx context.Context) error {
	out, err := n.cluster.Kubectl(ctx, "drain", n.Name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=2m")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(out))
	}
	return nil
}

// Uncordon ends the effect of Cordon and Drain.
func (n *Node) Uncordon(ctx context.Context) error {
	_, err := n.cluster.Kubectl(ctx, "uncordon", n.Name)
	return err
}
