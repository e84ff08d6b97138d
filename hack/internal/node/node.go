package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/cgroup"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
	"github.com/openservicemesh/osm-operator/hack/internal/leftovers"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// Node is the machine as the node of a cluster.
type Node struct {
	State   paths.State
	Plan    network.Plan
	Report  *progress.Reporter
	group   cgroup.Group
	daemons process.Manager
	sysctls network.Sysctls
}

// New returns a node with its state in the given folder.
func New(state paths.State, plan network.Plan, sysctls network.Sysctls, report *progress.Reporter) (*Node, error) {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	group := cgroup.Group{Name: component.RootCgroup, Hierarchies: hierarchies}
	return &Node{
		State:  state,
		Plan:   plan,
		Report: report,
		group:  group,
		daemons: process.Manager{
			PidDir: state.Pids(), LogDir: state.Logs(), Proc: "/proc", Adopt: group.Child("daemons").Add,
		},
		sysctls: sysctls,
	}, nil
}

// Leftovers returns the view of everything that the cluster created on the machine.
func (n *Node) Leftovers() leftovers.Machine {
	return leftovers.Machine{State: n.State, Plan: n.Plan, Group: n.group, Processes: n.daemons, Sysctls: n.sysctls}
}

// Images returns the node's containerd, with the client from the given assets.
func (n *Node) Images(set assets.Set) imageload.Containerd {
	return imageload.Containerd{Ctr: filepath.Join(set.Containerd, "ctr"), Socket: n.State.ContainerdSocket()}
}

// Process is the state of one of the cluster's processes.
type Process struct {
	Name string
	// Pid is 0 if the process is not running.
	Pid int
}

// Processes lists all processes of a cluster in start order.
func (n *Node) Processes() []Process {
	var list []Process
	for _, name := range n.names() {
		p := Process{Name: name}
		if id, alive := n.daemons.Find(name); alive {
			p.Pid = id.Pid
		}
		list = append(list, p)
	}
	return list
}

// names lists the processes of this node in start order.
func (n *Node) names() []string {
	if n.Plan.IsWorker() {
		return component.WorkerNames()
	}
	return component.Names()
}

// checkRunning returns an error if a process is not running.
func (n *Node) checkRunning() error {
	for _, p := range n.Processes() {
		if p.Pid == 0 {
			return fmt.Errorf("%s is not running", p.Name)
		}
	}
	return nil
}

// Stamp returns the key of the assets that the running cluster was started with, or "".
func (n *Node) Stamp() string {
	content, err := os.ReadFile(n.State.Stamp())
	if err != nil {
		return ""
	}
	return string(content)
}

// prepare creates everything that must exist before the first program of a cluster starts.
func (n *Node) prepare(c component.Cluster) error {
	if err := n.prepareMachine(); err != nil {
		return err
	}
	if err := certs.Write(n.State.Certs(), n.Plan, time.Now()); err != nil {
		return err
	}
	if err := n.configure(c); err != nil {
		return err
	}
	admin, err := os.ReadFile(filepath.Join(n.State.Certs(), certs.AdminUser+".kubeconfig"))
	if err != nil {
		return err
	}
	return os.WriteFile(n.State.Kubeconfig(), admin, 0o600)
}

// prepareMachine creates folders, control groups and network of any node.
func (n *Node) prepareMachine() error {
	for _, dir := range []string{
		n.State.Pids(), n.State.PodLogs(), n.State.Certs(), n.State.CNIConfig(), n.State.CNIState(), n.State.Etcd(), n.State.Kubelet(), n.State.Containerd(),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	// Not all kernel modules are always present. Errors are ignored: many kernels have them built in. If one is really missing, the settings
	// or mounts that need it fail with their own error.
	_ = exec.Command("modprobe", "--quiet", "--all", "br_netfilter", "overlay").Run()
	// The earlier values are recorded first, so that `down` can restore them from here on.
	if err := n.sysctls.Apply(); err != nil {
		return err
	}
	if err := n.group.Child("daemons").Create(); err != nil {
		return err
	}
	return network.CreateBridge(n.Plan)
}

func (n *Node) configure(c component.Cluster) error {
	files, err := c.Render()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := writeChanged(filepath.Join(n.State.Config(), name), content); err != nil {
			return err
		}
	}
	return nil
}

// writeChanged writes a file unless it has the content already: kube-proxy exits when its file is written.
func writeChanged(file string, content []byte) error {
	if present, err := os.ReadFile(file); err == nil && bytes.Equal(present, content) {
		return nil
	}
	return os.WriteFile(file, content, 0o644)
}

// RejectWrites makes etcd reject all writes, as it does when its storage is full. The API server still reads and deletes.
func (n *Node) RejectWrites(ctx context.Context) error { return n.storageAlarm(ctx, "ACTIVATE") }

// AcceptWrites ends the effect of RejectWrites.
func (n *Node) AcceptWrites(ctx context.Context) error { return n.storageAlarm(ctx, "DEACTIVATE") }

// storageAlarm activates or deactivates etcd's alarm for full storage, by its HTTP interface. Any member ID serves, as long as both calls name it.
func (n *Node) storageAlarm(ctx context.Context, action string) error {
	client, err := newClient(n.State.Certs(), certs.APIServerEtcd, certs.EtcdCA)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"action": %q, "memberID": "1", "alarm": "NOSPACE"}`, action)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, component.EtcdURL+"/v3/maintenance/alarm", bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("etcd cannot be reached: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("etcd responded with %s: %.200s", response.Status, text)
	}
	return nil
}

// apiClient is an API server client with the certificate of the API server's kubelet client, a member of system:masters, or of the kubelet of a further node.
type apiClient struct {
	server string
	client *http.Client
}

func (n *Node) api() (*apiClient, error) {
	certificate := certs.APIServerKubelet
	if n.Plan.IsWorker() {
		certificate = certs.Kubelet
	}
	client, err := newClient(n.State.Certs(), certificate, certs.ClusterCA)
	return &apiClient{server: n.Plan.APIServer(), client: client}, err
}

// newClient returns a client with one of the cluster's certificates, for servers of one of its authorities.
func newClient(certDir, certificate, authority string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(certDir, certificate+".crt"), filepath.Join(certDir, certificate+".key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(certDir, authority+".crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
}

func (a *apiClient) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the API server responded to %s with %s: %.200s", path, response.Status, body)
	}
	return body, err
}

// Paths of the API server.
const (
	readyPath = "/readyz"
	nodePath  = "/api/v1/nodes/"
)

// check returns a check that fails until the API server has a path.
func (a *apiClient) check(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := a.get(ctx, path)
		return err
	}
}

// checkNodeReady returns an error until pods can run on the node.
func (a *apiClient) checkNodeReady(ctx context.Context, name string) error {
	body, err := a.get(ctx, nodePath+name)
	if err != nil {
		return err
	}
	return readyCondition(body)
}

func readyCondition(node []byte) error {
	var parsed struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(node, &parsed); err != nil {
		return err
	}
	for _, c := range parsed.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		}
		if c.Type == "Ready" {
			return fmt.Errorf("the node is not ready: %s", c.Message)
		}
	}
	return errors.New("the node has not reported its status yet")
}

// checkDNS resolves the API server's name at both addresses of the cluster's DNS server.
func (n *Node) checkDNS(ctx context.Context) error {
	for _, server := range n.Plan.DNS() {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, net.JoinHostPort(server.String(), "53"))
		}}
		if _, err := resolver.LookupNetIP(ctx, "ip", "kubernetes.default.svc.cluster.local."); err != nil {
			return fmt.Errorf("the cluster's DNS server does not respond: %w", err)
		}
	}
	return nil
}

// CheckHealth returns an error if a process is not running or if the API, the node or DNS is not ready.
func (n *Node) CheckHealth(ctx context.Context) error {
	if err := n.checkRunning(); err != nil {
		return err
	}
	a, err := n.api()
	if err != nil {
		return err
	}
	if err := a.check(readyPath)(ctx); err != nil {
		return err
	}
	if err := a.checkNodeReady(ctx, n.Plan.NodeName); err != nil {
		return err
	}
	return n.checkDNS(ctx)
}
