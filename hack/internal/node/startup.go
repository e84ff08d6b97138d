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

// startup is one start of a cluster.
type startup struct {
	node    *Node
	specs   map[string]process.Spec
	set     assets.Set
	started []*process.Running
}

func (r *startup) launch(name string) error {
	running, err := r.node.daemons.Start(r.specs[name])
	if err != nil {
		return err
	}
	r.started = append(r.started, running)
	return nil
}

// startControlPlane starts etcd, containerd and the API server, and loads the node's images in parallel.
func (r *startup) startControlPlane(ctx context.Context) error {
	for _, name := range []string{component.Etcd, component.Containerd, component.APIServer} {
		if err := r.launch(name); err != nil {
			return err
		}
	}
	a, err := newAPIClient(r.node.Plan.APIServer(), r.node.State.Certs())
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return await(ctx, 2*time.Minute, r.started, a.checkReady) })
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

// startWorker starts the processes that need the API server, and waits until pods run and DNS works.
func (r *startup) startWorker(ctx context.Context, c component.Cluster) error {
	for _, name := range []string{component.ControllerManager, component.Kubelet, component.Scheduler} {
		if err := r.launch(name); err != nil {
			return err
		}
	}
	if err := r.apply(ctx, c.Manifest()); err != nil {
		return err
	}
	a, err := newAPIClient(r.node.Plan.APIServer(), r.node.State.Certs())
	if err != nil {
		return err
	}
	name := r.node.Plan.NodeName
	// kube-proxy looks up its node at startup, and a retry is delayed by its backoff.
	if err := await(ctx, time.Minute, r.started, func(ctx context.Context) error { return a.checkNodeExists(ctx, name) }); err != nil {
		return err
	}
	if err := r.launch(component.Proxy); err != nil {
		return err
	}
	return await(ctx, 2*time.Minute, r.started, r.node.CheckHealth)
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
