package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

const (
	// stopTimeout is how long a program may take to exit. The API server finishes its requests first.
	stopTimeout = 90 * time.Second
	// startTimeout is how long a program may take to be ready.
	startTimeout = 2 * time.Minute
)

// Upgrade replaces the programs of Kubernetes that differ from those of a set, one after the other: first those of the control plane, then those of
// the node. etcd, containerd, pods and stored objects stay. It fails if the cluster is not healthy.
func (n *Node) Upgrade(ctx context.Context, set assets.Set) error {
	if err := n.CheckHealth(ctx); err != nil {
		return fmt.Errorf("there is no healthy cluster to upgrade: %w", err)
	}
	cluster := component.Cluster{State: n.State, Assets: set, Plan: n.Plan}
	if err := n.configure(cluster); err != nil {
		return err
	}
	r := &startup{node: n, specs: cluster.Specs(), set: set}
	for _, name := range []string{component.APIServer, component.ControllerManager, component.Scheduler, component.Kubelet, component.Proxy} {
		if n.runs(r.specs[name]) {
			continue
		}
		if err := n.Report.Run(ctx, "replacing "+name, func(ctx context.Context) error { return r.replace(ctx, name) }); err != nil {
			return err
		}
	}
	if err := await(ctx, startTimeout, r.started, n.CheckHealth); err != nil {
		return err
	}
	return os.WriteFile(n.State.Stamp(), []byte(set.Key()), 0o644)
}

// runs reports whether the running process is the program of a specification.
func (n *Node) runs(s process.Spec) bool {
	id, alive := n.daemons.Find(s.Name)
	if !alive {
		return false
	}
	running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", id.Pid))
	if err != nil {
		return false
	}
	program, err := filepath.EvalSymlinks(s.Path)
	return err == nil && running == program
}

// replace stops one program, starts the one of the set instead, and waits until that is ready.
func (r *startup) replace(ctx context.Context, name string) error {
	// kube-proxy has ended by itself if its configuration has changed.
	if _, alive := r.node.daemons.Find(name); alive {
		if err := r.node.stop(ctx, name, syscall.SIGTERM, stopTimeout); err != nil {
			return err
		}
	}
	if err := r.launch(name); err != nil {
		return err
	}
	a, err := r.node.api()
	if err != nil {
		return err
	}
	ready := a.check(readyPath)
	if name == component.Kubelet {
		ready = func(ctx context.Context) error { return a.checkKubelet(ctx, r.node.Plan.NodeName, r.set.Versions.Node) }
	}
	return await(ctx, startTimeout, r.started, ready)
}

// checkKubelet returns an error until the kubelet of a minor version has reported that pods can run on its node.
func (a *apiClient) checkKubelet(ctx context.Context, node, minor string) error {
	body, err := a.get(ctx, nodePath+node)
	if err != nil {
		return err
	}
	if err := kubeletVersion(body, minor); err != nil {
		return err
	}
	return readyCondition(body)
}

// kubeletVersion returns an error if a node was reported by a kubelet of another minor version.
func kubeletVersion(node []byte, minor string) error {
	var parsed struct {
		Status struct {
			NodeInfo struct{ KubeletVersion string }
		}
	}
	if err := json.Unmarshal(node, &parsed); err != nil {
		return err
	}
	if version := parsed.Status.NodeInfo.KubeletVersion; !strings.HasPrefix(version, "v"+minor+".") {
		return fmt.Errorf("the node was reported by a kubelet %s, want one of %s", version, minor)
	}
	return nil
}

// checkVersions returns an error if the API server or the kubelet has another minor version.
func (a *apiClient) checkVersions(ctx context.Context, node string, want assets.Versions) error {
	body, err := a.get(ctx, "/version")
	if err != nil {
		return err
	}
	var server struct{ GitVersion string }
	if err := json.Unmarshal(body, &server); err != nil {
		return err
	}
	if !strings.HasPrefix(server.GitVersion, "v"+want.ControlPlane+".") {
		return fmt.Errorf("the API server that runs is %s, want one of %s", server.GitVersion, want.ControlPlane)
	}
	if body, err = a.get(ctx, nodePath+node); err != nil {
		return err
	}
	return kubeletVersion(body, want.Node)
}

// stop sends a signal to a program and waits until it has exited.
func (n *Node) stop(ctx context.Context, name string, signal syscall.Signal, timeout time.Duration) error {
	id, alive := n.daemons.Find(name)
	if !alive {
		return fmt.Errorf("%s is not running", name)
	}
	if err := syscall.Kill(id.Pid, signal); err != nil {
		return fmt.Errorf("cannot stop %s, process %d: %w", name, id.Pid, err)
	}
	return await(ctx, timeout, nil, func(context.Context) error {
		if n.daemons.Proc.Alive(id) {
			return fmt.Errorf("%s, process %d, has not ended", name, id.Pid)
		}
		return nil
	})
}
