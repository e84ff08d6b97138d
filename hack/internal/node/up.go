package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
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

// prepare makes everything that has to be there before the first program starts.
func (n *Node) prepare(c component.Cluster) error {
	for _, dir := range []string{
		n.State.Pids(), n.State.PodLogs(), n.State.Certs(), n.State.CNIConfig(), n.State.CNIState(), n.State.Etcd(), n.State.Kubelet(), n.State.Containerd(),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	loadModules()
	// Records of former values come first: from here on `down` can put everything back.
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

// loadModules asks for the kernel modules that are not always loaded. Many kernels have them built in or have no modules at all;
// where they are truly missing, the settings and mounts that need them fail and say so.
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

// run is one start of a cluster.
type run struct {
	node    *Node
	specs   map[string]process.Spec
	set     assets.Set
	started []*process.Running
}

func (r *run) launch(name string) error {
	running, err := r.node.daemons.Start(r.specs[name])
	if err != nil {
		return err
	}
	r.started = append(r.started, running)
	return nil
}

// controlPlane starts etcd, the API server and, beside them, containerd with the node's images.
func (r *run) controlPlane(ctx context.Context) error {
	for _, name := range []string{component.Etcd, component.Containerd, component.APIServer} {
		if err := r.launch(name); err != nil {
			return err
		}
	}
	a, err := newAPI(r.node.Plan.APIServer(), r.node.State.Certs())
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return await(ctx, 2*time.Minute, r.started, a.ready) })
	group.Go(func() error {
		for _, archive := range []string{assets.PauseArchive, assets.CoreDNSArchive} {
			if err := await(ctx, time.Minute, r.started, func(ctx context.Context) error {
				_, err := r.node.Images(r.set).Load(ctx, nil, filepath.Join(r.set.NodeImages, archive))
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// worker starts what needs the API server, and waits until pods run and names resolve.
func (r *run) worker(ctx context.Context, c component.Cluster) error {
	for _, name := range []string{component.ControllerManager, component.Kubelet, component.Scheduler} {
		if err := r.launch(name); err != nil {
			return err
		}
	}
	if err := r.apply(ctx, c.Manifest()); err != nil {
		return err
	}
	a, err := newAPI(r.node.Plan.APIServer(), r.node.State.Certs())
	if err != nil {
		return err
	}
	name := r.node.Plan.NodeName
	// kube-proxy looks its node up when it starts and waits ever longer before it asks again.
	if err := await(ctx, time.Minute, r.started, func(ctx context.Context) error { return a.nodeExists(ctx, name) }); err != nil {
		return err
	}
	if err := r.launch(component.Proxy); err != nil {
		return err
	}
	return await(ctx, 2*time.Minute, r.started, r.node.Healthy)
}

func (r *run) apply(ctx context.Context, manifest string) error {
	kubectl := filepath.Join(r.set.Kubernetes, "kubectl")
	cmd := exec.CommandContext(ctx, kubectl, "--kubeconfig", r.node.State.Kubeconfig(), "apply", "--server-side", "-f", manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot create the objects in %s: %w: %s", manifest, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// await repeats the check until it passes, time is up, or one of the programs has ended.
func await(ctx context.Context, patience time.Duration, programs []*process.Running, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		// When time is up every check fails for that reason; the one before says what is wrong.
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
			return fmt.Errorf("gave up after %s: %w", patience, last)
		case <-tick.C:
		}
	}
}
