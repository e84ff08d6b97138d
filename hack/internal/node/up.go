package node

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
)

// healthPatience is how long a second `up` waits for a cluster whose programs all run, which may still be starting.
const healthPatience = 20 * time.Second

// Up makes sure that a healthy cluster runs. One that is damaged is removed first and a new, empty one started.
func (n *Node) Up(ctx context.Context, set assets.Set) error {
	err := n.settle(ctx)
	if err == nil {
		n.Report.Say("the cluster is up")
		if n.Stamp() != set.Key() {
			n.Report.Say("it was started from other versions of its programs; `down` and `up` would start it from the present ones")
		}
		return nil
	}
	if err := n.clear(ctx, err); err != nil {
		return err
	}
	if err := n.start(ctx, set); err != nil {
		return fmt.Errorf("%w\n(logs are in %s; `down` removes what has been started)", err, n.State.Logs())
	}
	return nil
}

// settle waits for a cluster whose programs all run to be healthy. It returns at once when one does not run.
func (n *Node) settle(ctx context.Context) error {
	for _, p := range n.Processes() {
		if p.Pid == 0 {
			return fmt.Errorf("%s does not run", p.Name)
		}
	}
	return await(ctx, healthPatience, nil, n.Healthy)
}

// clear removes what is left of an earlier cluster and says so.
func (n *Node) clear(ctx context.Context, reason error) error {
	found, err := n.Leftovers().List(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	step := fmt.Sprintf("removing what is left of an earlier cluster (%v)", reason)
	return n.Report.Run(ctx, step, n.Leftovers().Clean)
}

func (n *Node) start(ctx context.Context, set assets.Set) error {
	cluster := component.Cluster{State: n.State, Assets: set, Plan: n.Plan}
	if err := n.Report.Run(ctx, "preparing network, certificates and configuration", func(context.Context) error {
		return n.prepare(cluster)
	}); err != nil {
		return err
	}
	r := &run{node: n, specs: cluster.Specs(), set: set}
	if err := n.Report.Run(ctx, "starting the control plane and the container engine", r.controlPlane); err != nil {
		return err
	}
	if err := n.Report.Run(ctx, "starting the node", func(ctx context.Context) error { return r.worker(ctx, cluster) }); err != nil {
		return err
	}
	return os.WriteFile(n.State.Stamp(), []byte(set.Key()), 0o644)
}
