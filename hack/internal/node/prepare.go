package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
)

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
