package node

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// MakeWorker makes a machine a further node of the cluster that has a state folder. Up starts it.
func MakeWorker(machine, cluster paths.State) error {
	if err := os.MkdirAll(machine.Dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(machine.Worker(), []byte(cluster.Certs()+"\n"), 0o600)
}

// join starts a further node. After a reboot it has its disk, and nothing that ran.
func (n *Node) join(ctx context.Context, set assets.Set) error {
	cluster := component.Cluster{State: n.State, Assets: set, Plan: n.Plan}
	if err := n.Report.Run(ctx, "preparing network, certificates and configuration", func(context.Context) error {
		return n.prepareWorker(cluster)
	}); err != nil {
		return err
	}
	r := &startup{node: n, specs: cluster.Specs(), set: set}
	if err := n.Report.Run(ctx, "joining the cluster at "+n.Plan.APIServer(), r.joinCluster); err != nil {
		return err
	}
	return os.WriteFile(n.State.Stamp(), []byte(set.Key()), 0o644)
}

func (n *Node) prepareWorker(c component.Cluster) error {
	authorities, err := os.ReadFile(n.State.Worker())
	if err != nil {
		return err
	}
	pids, err := n.group.Pids()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		// The state of containers is on a file system in memory elsewhere, which no reboot survives.
		if err := os.RemoveAll(n.State.ContainerdState()); err != nil {
			return err
		}
	}
	if err := n.prepareMachine(); err != nil {
		return err
	}
	if err := certs.WriteNode(n.State.Certs(), strings.TrimSpace(string(authorities)), n.Plan, time.Now()); err != nil {
		return fmt.Errorf("the cluster to join has no certificates: %w", err)
	}
	return n.configure(c)
}

// joinCluster starts the programs of a further node and waits until pods run on it.
func (r *startup) joinCluster(ctx context.Context) error {
	if err := r.launch(component.Containerd); err != nil {
		return err
	}
	if err := r.loadImage(ctx, assets.PauseArchive); err != nil {
		return err
	}
	if err := r.launch(component.Kubelet); err != nil {
		return err
	}
	return r.startProxy(ctx)
}
