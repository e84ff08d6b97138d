package component

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

// Names of the processes, and of their pid and log files.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kubelet           = "kubelet"
	Proxy             = "kube-proxy"
	Containerd        = "containerd"
)

// Names lists all processes in start order.
func Names() []string {
	return []string{Etcd, Containerd, APIServer, ControllerManager, Scheduler, Kubelet, Proxy}
}

// RootCgroup is the control group of the whole cluster; the kubelet puts pods below it.
const RootCgroup = "osm-local"

//go:embed templates
var templates embed.FS

// Cluster determines the settings of every component.
type Cluster struct {
	State  paths.State
	Assets assets.Set
	Plan   network.Plan
}

// Specs returns the process specifications by name.
func (c Cluster) Specs() map[string]process.Spec {
	return map[string]process.Spec{
		Etcd:              c.kubernetes(Etcd, c.etcd()),
		APIServer:         c.kubernetes(APIServer, c.apiServer()),
		ControllerManager: c.kubernetes(ControllerManager, c.controllerManager()),
		Scheduler:         c.kubernetes(Scheduler, []string{"--config=" + c.configFile("scheduler.yaml"), "--secure-port=0"}),
		Kubelet:           c.kubernetes(Kubelet, c.kubelet()),
		Proxy:             c.kubernetes(Proxy, []string{"--config=" + c.configFile("kube-proxy.yaml")}),
		Containerd: {
			Name: Containerd,
			Path: filepath.Join(c.Assets.Containerd, "containerd"),
			Args: []string{"--config=" + c.configFile("containerd.toml")},
			// containerd looks for its shim in PATH.
			Env: []string{"PATH=" + c.Assets.Containerd + ":" + os.Getenv("PATH")},
		},
	}
}

func (c Cluster) kubernetes(name string, args []string) process.Spec {
	return process.Spec{Name: name, Path: filepath.Join(c.Assets.Kubernetes, name), Args: args}
}

// configurations maps each configuration file to its template. File names are relative to the configuration folder.
func configurations() map[string]string {
	return map[string]string{
		"containerd.toml":        "containerd.toml",
		"cni/10-bridge.conflist": "bridge.conflist",
		"kubelet.yaml":           "kubelet.yaml",
		"kube-proxy.yaml":        "kube-proxy.yaml",
		"scheduler.yaml":         "scheduler.yaml",
		"coredns.yaml":           "coredns.yaml",
		"resolv.conf":            "resolv.conf",
		"audit.yaml":             "audit.yaml",
	}
}

// Render returns the content of every configuration file by name, relative to the configuration folder.
func (c Cluster) Render() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, source := range configurations() {
		parsed, err := template.New(source).Option("missingkey=error").ParseFS(templates, "templates/"+source)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, c); err != nil {
			return nil, fmt.Errorf("cannot render %s: %w", name, err)
		}
		files[name] = out.Bytes()
	}
	return files, nil
}

func (c Cluster) configFile(name string) string { return filepath.Join(c.State.Config(), name) }

// Cert returns the path of a certificate or key file. Templates call it.
func (c Cluster) Cert(file string) string { return filepath.Join(c.State.Certs(), file) }

// Manifest returns the file with the objects of every cluster: CoreDNS.
func (c Cluster) Manifest() string { return c.configFile("coredns.yaml") }

// CoreDNSImage returns the image in the manifest.
func (c Cluster) CoreDNSImage() string { return assets.CoreDNSImage }

// PauseImage returns the image of the first container of every pod.
func (c Cluster) PauseImage() string { return assets.PauseImage }

// CgroupRoot returns the control group of pods, as the kubelet expects it.
func (c Cluster) CgroupRoot() string { return "/" + RootCgroup }
