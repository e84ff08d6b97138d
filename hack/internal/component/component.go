package component

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certs"
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

// WorkerNames lists the processes of a further node in start order.
func WorkerNames() []string { return []string{Containerd, Kubelet, Proxy} }

// RootCgroup is the control group of the whole cluster; the kubelet puts pods below it.
const RootCgroup = "osm-local"

//go:embed templates
var templates embed.FS

// Cluster determines the settings of every component.
type Cluster struct {
	State  paths.State
	Assets assets.Set
	Plan   network.Plan
	// NodeGrace is after how long without a report from its kubelet a node counts as lost; zero for DefaultNodeGrace.
	NodeGrace time.Duration
}

// DefaultNodeGrace is long, because the node cannot report while the API server is stopped. If it were marked lost, all its pods would become unready at
// once, and every Service would have no endpoints.
const DefaultNodeGrace = 5 * time.Minute

// Specs returns the process specifications by name.
func (c Cluster) Specs() map[string]process.Spec {
	return map[string]process.Spec{
		Etcd:              c.kubernetes(Etcd, c.etcd()),
		APIServer:         c.kubernetes(APIServer, c.apiServer()),
		ControllerManager: c.kubernetes(ControllerManager, c.controllerManager()),
		Scheduler:         c.kubernetes(Scheduler, []string{"--config=" + c.configFile("scheduler.yaml"), "--secure-port=0"}),
		Kubelet:           c.ofNode(Kubelet, c.kubelet()),
		Proxy:             c.ofNode(Proxy, []string{"--config=" + c.configFile("kube-proxy.yaml")}),
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

// ofNode is a program with the version of the node, which may be older than that of the control plane.
func (c Cluster) ofNode(name string, args []string) process.Spec {
	return process.Spec{Name: name, Path: filepath.Join(c.Assets.Node, name), Args: args}
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

// etcd uses non-default ports, to avoid a conflict with another etcd on the machine. EtcdURL is for its clients.
const (
	EtcdURL     = "https://127.0.0.1:12379"
	etcdPeerURL = "http://127.0.0.1:12380"
)

// issuer is the service account issuer, with the value that most clusters use.
const issuer = "https://kubernetes.default.svc.cluster.local"

func (c Cluster) etcd() []string {
	return []string{
		"--name=osm-local",
		"--data-dir=" + c.State.Etcd(),
		"--listen-client-urls=" + EtcdURL,
		"--advertise-client-urls=" + EtcdURL,
		"--listen-peer-urls=" + etcdPeerURL,
		"--initial-advertise-peer-urls=" + etcdPeerURL,
		"--initial-cluster=osm-local=" + etcdPeerURL,
		"--cert-file=" + c.Cert(certs.Etcd+".crt"),
		"--key-file=" + c.Cert(certs.Etcd+".key"),
		"--trusted-ca-file=" + c.Cert(certs.EtcdCA+".crt"),
		"--client-cert-auth",
		// Writes are several times faster without fsync. A power cut may lose the data, which does not outlive the
		// cluster anyway.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func (c Cluster) apiServer() []string {
	return []string{
		"--bind-address=" + c.Plan.Node().String(),
		fmt.Sprintf("--secure-port=%d", c.Plan.APIPort),
		"--advertise-address=" + c.Plan.Node().String(),
		"--etcd-servers=" + EtcdURL,
		"--etcd-cafile=" + c.Cert(certs.EtcdCA+".crt"),
		"--etcd-certfile=" + c.Cert(certs.APIServerEtcd+".crt"),
		"--etcd-keyfile=" + c.Cert(certs.APIServerEtcd+".key"),
		"--client-ca-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--tls-cert-file=" + c.Cert(certs.APIServer+".crt"),
		"--tls-private-key-file=" + c.Cert(certs.APIServer+".key"),
		"--kubelet-certificate-authority=" + c.Cert(certs.ClusterCA+".crt"),
		"--kubelet-client-certificate=" + c.Cert(certs.APIServerKubelet+".crt"),
		"--kubelet-client-key=" + c.Cert(certs.APIServerKubelet+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.Cert(certs.FrontProxyCA+".crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.Cert(certs.FrontProxy+".crt"),
		"--proxy-client-key-file=" + c.Cert(certs.FrontProxy+".key"),
		"--service-account-issuer=" + issuer,
		"--service-account-signing-key-file=" + c.Cert(certs.ServiceAccount+".key"),
		"--service-account-key-file=" + c.Cert(certs.ServiceAccount+".pub"),
		"--service-cluster-ip-range=" + c.ServiceRanges(),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--audit-policy-file=" + c.configFile("audit.yaml"),
		"--audit-log-path=" + c.State.AuditLog(),
		// In megabytes. One file holds a whole run of the tests.
		"--audit-log-maxsize=1000",
		"--profiling=false",
	}
}

func (c Cluster) controllerManager() []string {
	return []string{
		"--kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--authentication-kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--authorization-kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.Cert(certs.ServiceAccount+".key"),
		"--root-ca-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--cluster-signing-cert-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--cluster-signing-key-file=" + c.Cert(certs.ClusterCA+".key"),
		"--cluster-cidr=" + c.PodRanges(),
		"--service-cluster-ip-range=" + c.ServiceRanges(),
		// Pod addresses come from the CNI configuration of the single node, not from ranges per node.
		"--allocate-node-cidrs=false",
		"--flex-volume-plugin-dir=" + c.State.VolumePlugins(),
		"--endpointslice-updates-batch-period=0s",
		"--endpoint-updates-batch-period=0s",
		"--node-monitor-grace-period=" + cmp.Or(c.NodeGrace, DefaultNodeGrace).String(),
		"--kube-api-qps=300",
		"--kube-api-burst=600",
		"--profiling=false",
	}
}

func (c Cluster) kubelet() []string {
	return []string{
		"--config=" + c.configFile("kubelet.yaml"),
		"--kubeconfig=" + c.Cert(certs.KubeletUser+".kubeconfig"),
		"--root-dir=" + c.State.Kubelet(),
		"--cert-dir=" + c.State.Kubelet() + "/pki",
		"--hostname-override=" + c.Plan.NodeName,
		"--node-ip=" + joined(c.Plan.Nodes()),
	}
}

// PodRanges returns the ranges of pod addresses, IPv4 first, separated by a comma.
func (c Cluster) PodRanges() string { return joined(c.Plan.Pods()) }

// ServiceRanges returns the ranges of cluster IPs. The first is the family of single-stack Services.
func (c Cluster) ServiceRanges() string { return joined(c.Plan.Services()) }

// joined separates addresses by commas.
func joined[A fmt.Stringer](addresses []A) string {
	var texts []string
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ",")
}
