package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

// healthTimeout is how long `up` waits for a cluster whose processes all run and which may still be starting.
const healthTimeout = 20 * time.Second

// Up ensures that a healthy cluster runs. It replaces a damaged cluster by a new, empty one. A further node of another cluster is started again with what its
// disk has.
func (n *Node) Up(ctx context.Context, set assets.Set) error {
	err := n.awaitHealthy(ctx)
	if err == nil {
		n.Report.Printf("the cluster is up")
		return n.checkVersions(ctx, set)
	}
	start := n.join
	if !n.Plan.IsWorker() {
		start = n.start
		if err := n.removeLeftovers(ctx, err); err != nil {
			return err
		}
	}
	if err := start(ctx, set); err != nil {
		return fmt.Errorf("%w\n(logs are in %s; `down` removes the started processes)", err, n.State.Logs())
	}
	return nil
}

// checkVersions fails if the running cluster has other versions of Kubernetes, whose tests would show nothing about the selected ones. Other differences
// are reported.
func (n *Node) checkVersions(ctx context.Context, set assets.Set) error {
	a, err := n.api()
	if err != nil {
		return err
	}
	if err := a.checkVersions(ctx, n.Plan.NodeName, set.Versions); err != nil {
		return fmt.Errorf("%w: use `down` and `up`, or `upgrade`", err)
	}
	if n.Stamp() != set.Key() {
		n.Report.Printf("it runs other versions of its programs; use `down` and `up` to start the current ones")
	}
	return nil
}

// awaitHealthy waits until the cluster is healthy. It fails at once if a process is not running.
func (n *Node) awaitHealthy(ctx context.Context) error {
	if err := n.checkRunning(); err != nil {
		return err
	}
	return await(ctx, healthTimeout, nil, n.CheckHealth)
}

// removeLeftovers removes and reports the leftovers of an earlier cluster.
func (n *Node) removeLeftovers(ctx context.Context, cause error) error {
	found, err := n.Leftovers().List(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	step := fmt.Sprintf("removing leftovers of an earlier cluster (%v)", cause)
	return n.Report.Run(ctx, step, n.Leftovers().Clean)
}

func (n *Node) start(ctx context.Context, set assets.Set) error {
	cluster := component.Cluster{State: n.State, Assets: set, Plan: n.Plan}
	if err := n.Report.Run(ctx, "preparing network, certificates and configuration", func(context.Context) error {
		return n.prepare(cluster)
	}); err != nil {
		return err
	}
	r := &startup{node: n, specs: cluster.Specs(), set: set}
	if err := n.Report.Run(ctx, "starting the control plane and containerd", r.startControlPlane); err != nil {
		return err
	}
	if err := n.Report.Run(ctx, "starting the node", func(ctx context.Context) error { return r.startWorker(ctx, cluster) }); err != nil {
		return err
	}
	return os.WriteFile(n.State.Stamp(), []byte(set.Key()), 0o644)
}

// Down removes the cluster and everything it created on the machine, and verifies that nothing is left.
func (n *Node) Down(ctx context.Context) error {
	machine := n.Leftovers()
	found, err := machine.List(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		n.Report.Printf("there is no cluster, and there are no leftovers")
		return nil
	}
	if err := n.Report.Run(ctx, "removing the cluster", machine.Clean); err != nil {
		return err
	}
	left, err := machine.List(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("these leftovers could not be removed:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}

// StopAPIServer kills the API server, as a machine failure would. Pods, their network and stored objects stay.
func (n *Node) StopAPIServer(ctx context.Context) error {
	return n.stop(ctx, component.APIServer, syscall.SIGKILL, 10*time.Second)
}

// StartAPIServer starts the stopped API server and waits until it is ready.
func (n *Node) StartAPIServer(ctx context.Context, set assets.Set) error {
	if id, alive := n.daemons.Find(component.APIServer); alive {
		return fmt.Errorf("the API server is already running, as process %d", id.Pid)
	}
	r := &startup{node: n, specs: component.Cluster{State: n.State, Assets: set, Plan: n.Plan}.Specs(), set: set}
	if err := r.launch(component.APIServer); err != nil {
		return err
	}
	a, err := n.api()
	if err != nil {
		return err
	}
	return await(ctx, 2*time.Minute, r.started, a.check(readyPath))
}

// SetNodeGrace replaces the controller manager by one to which a node counts as lost after a time without a report from its kubelet.
func (n *Node) SetNodeGrace(ctx context.Context, set assets.Set, grace time.Duration) error {
	cluster := component.Cluster{State: n.State, Assets: set, Plan: n.Plan, NodeGrace: grace}
	r := &startup{node: n, specs: cluster.Specs(), set: set}
	return r.replace(ctx, component.ControllerManager)
}

// startup is one start of a cluster.
type startup struct {
	node    *Node
	specs   map[string]process.Spec
	set     assets.Set
	started []*process.Running
}

func (r *startup) launch(names ...string) error {
	for _, name := range names {
		running, err := r.node.daemons.Start(r.specs[name])
		if err != nil {
			return err
		}
		r.started = append(r.started, running)
	}
	return nil
}

// startControlPlane starts etcd, containerd and the API server, and loads the node's images in parallel.
func (r *startup) startControlPlane(ctx context.Context) error {
	if err := r.launch(component.Etcd, component.Containerd, component.APIServer); err != nil {
		return err
	}
	a, err := r.node.api()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return await(ctx, 2*time.Minute, r.started, a.check(readyPath)) })
	group.Go(func() error {
		if err := r.loadImage(ctx, assets.PauseArchive); err != nil {
			return err
		}
		return r.loadImage(ctx, assets.CoreDNSArchive)
	})
	return group.Wait()
}

// loadImage loads an image of the node once containerd answers.
func (r *startup) loadImage(ctx context.Context, archive string) error {
	return await(ctx, time.Minute, r.started, func(ctx context.Context) error {
		_, err := r.node.Images(r.set).Load(ctx, nil, filepath.Join(r.set.NodeImages, archive))
		return err
	})
}

// startWorker starts the processes that need the API server, and waits until pods run and DNS works.
func (r *startup) startWorker(ctx context.Context, c component.Cluster) error {
	if err := r.launch(component.ControllerManager, component.Kubelet, component.Scheduler); err != nil {
		return err
	}
	if err := r.apply(ctx, c.Manifest()); err != nil {
		return err
	}
	return r.startProxy(ctx)
}

// startProxy starts kube-proxy once the kubelet has registered the node, and waits until pods run and DNS works.
func (r *startup) startProxy(ctx context.Context) error {
	a, err := r.node.api()
	if err != nil {
		return err
	}
	// kube-proxy looks up its node at startup, and a retry is delayed by its backoff.
	if err := await(ctx, time.Minute, r.started, a.check(nodePath+r.node.Plan.NodeName)); err != nil {
		return err
	}
	if err := r.launch(component.Proxy); err != nil {
		return err
	}
	return await(ctx, startTimeout, r.started, r.node.CheckHealth)
}

func (r *startup) apply(ctx context.Context, manifest string) error {
	kubectl := filepath.Join(r.set.Kubernetes, "kubectl")
	cmd := exec.CommandContext(ctx, kubectl, "--kubeconfig", r.node.State.Kubeconfig(), "apply", "--server-side", "-f", manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot create the objects in %s: %w: %s", manifest, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// await repeats the check until it succeeds, the timeout has passed, or one of the programs has exited.
func await(ctx context.Context, timeout time.Duration, programs []*process.Running, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		// After the timeout every check fails with a context error. The earlier error has the reason.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		for _, p := range programs {
			select {
			case <-p.Exited:
				return p.Failure()
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("timed out after %s: %w", timeout, last)
		case <-tick.C:
		}
	}
}
