package node

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

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
