package neighbour

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// network has a gateway, a client and a server of the shop, and a pod of the hostile namespace, with their control plane.
type network struct {
	control                       *control
	outside                       *pods.Pod
	gateway, client, server, evil *pods.Pod
	// manifests are the objects of the pods.
	manifests string
}

const (
	gatewayPort = 10080
	shopAddress = "10.200.0.2:80"
)

func newNetwork(t *testing.T) *network {
	t.Helper()
	all := pods.NewNetwork(t)
	all.Reject(t, netip.MustParsePrefix("10.200.0.0/24"))
	machine := all.Bare(t)
	n := &network{outside: machine}
	n.control = newControl(t, func() net.Listener { return machine.NS.Listen(t, nstest.Address(machine.IP.String(), names.ADSPort)) })
	n.gateway = n.addPod(t, all, names.DefaultNamespace, names.IngressGateway, redirect.Config{ExcludeInboundPorts: []uint16{gatewayPort, gatewayPort + 1}})
	n.addPod(t, all, names.DefaultNamespace, names.EgressGateway, redirect.Config{ExcludeInboundPorts: []uint16{names.EgressGatewayPort}})
	n.client = n.addPod(t, all, "shop", "client", redirect.Config{})
	n.server = n.addPod(t, all, "shop", "web", redirect.Config{})
	n.evil = n.addPod(t, all, "evil", "evil", redirect.Config{})
	n.server.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("books")) }))
	for app, pod := range map[string]*pods.Pod{"shop/web": n.server, "evil/vice": n.evil} {
		namespace, service := filepath.Split(app)
		namespace = filepath.Clean(namespace)
		n.manifests += fmt.Sprintf(`
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %[2]s, namespace: %[1]s, labels: {kubernetes.io/service-name: %[2]s}}, addressType: IPv4, ports: [{name: http, port: 8080}], endpoints: [{addresses: [%[3]s], conditions: {ready: true}, targetRef: {kind: Pod, namespace: %[1]s, name: %[4]s}}]}
`, namespace, service, pod.IP, map[string]string{"web": "web", "vice": "evil"}[service])
	}
	return n
}

// addPod starts a pod whose name, label and account are the same.
func (n *network) addPod(t *testing.T, all *pods.Network, namespace, name string, rules redirect.Config) *pods.Pod {
	t.Helper()
	account := identity.ServiceAccount{Namespace: namespace, Name: name}
	token, uid := "token of "+account.String(), "uid-"+name
	peer := xds.Peer{Pod: entity.Name{Namespace: namespace, Name: name}, InstanceID: entity.InstanceID(uid), ServiceAccount: account, ServiceAccountUID: "account-" + name}
	index := n.control.admit(token, peer) + 1 // the first one is the machine of the control plane
	addresses := []netip.Addr{netip.AddrFrom4([4]byte{10, 77, byte(index), 2}), netip.MustParseAddr(fmt.Sprintf("fd77:%d::2", index))}
	dir := filepath.Join(all.Dir, name+".d")
	pod := all.Custom(t, name, rules, n.bootstrap(t, dir, token, account, addresses))
	if pod.IP != addresses[0] {
		t.Fatalf("pod %s has the address %s, want %s", name, pod.IP, addresses[0])
	}
	n.manifests += fmt.Sprintf(`
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: %[2]s, namespace: %[1]s, uid: account-%[2]s}}
---
{apiVersion: v1, kind: Pod, metadata: {name: %[2]s, namespace: %[1]s, uid: %[3]s, labels: {app: %[2]s}}, spec: {serviceAccountName: %[2]s, initContainers: [{name: %[4]s, restartPolicy: Always}], containers: [{name: application}]}, status: {phase: Running, podIP: %[5]s, podIPs: [{ip: %[5]s}, {ip: "%[6]s"}]}}
`, namespace, name, uid, names.SidecarContainer, pod.IP, pod.IP6)
	return pod
}

// bootstrap renders the bootstrap of osm-init, and writes its files to a directory that the sidecar can read.
func (n *network) bootstrap(t *testing.T, dir, token string, account identity.ServiceAccount, addresses []netip.Addr) *bootstrapv3.Bootstrap {
	t.Helper()
	files, err := bootstrap.Render(bootstrap.Config{
		Statistics: bootstrap.AllStatistics, ProxyUUID: "uuid", TrustDomain: trustDomain, XDSHost: n.outside.IP.String(), XDSPort: names.ADSPort,
		ServiceAccount: account.Name, Namespace: account.Namespace, PodIPs: addresses,
		Dirs: bootstrap.Dirs{Config: dir, Token: filepath.Join(dir, "token"), Trust: filepath.Join(dir, "trust")},
	})
	if err != nil {
		t.Fatal(err)
	}
	files = append(files,
		bootstrap.File{Name: filepath.Join("token", names.TokenFile), Content: []byte(token)},
		bootstrap.File{Name: filepath.Join("trust", names.CABundleCert), Content: n.control.rootPEM})
	for _, file := range files {
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := yaml.YAMLToJSON(files[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	parsed := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// requests returns why a request of others fails, empty if both succeed: one from outside through the gateway, and one of the client.
func (n *network) requests() string {
	for name, call := range map[string]struct {
		client *http.Client
		url    string
	}{
		"through the gateway": {n.outside.NS.HTTP(), fmt.Sprintf("http://%s:%d/", n.gateway.IP, gatewayPort)},
		"of the client":       {n.client.NS.HTTP(), "http://" + shopAddress + "/"},
	} {
		request, err := http.NewRequest(http.MethodGet, call.url, nil)
		if err != nil {
			return err.Error()
		}
		request.Host = "shop.example"
		call.client.Timeout = 10 * time.Second
		response, err := call.client.Do(request)
		if err != nil {
			return fmt.Sprintf("%s: %v", name, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Sprintf("%s: status %d", name, response.StatusCode)
		}
	}
	return ""
}

// routesOf returns the routes that a real Envoy has for a host.
func routesOf(t *testing.T, pod *pods.Pod, host string) string {
	t.Helper()
	var dump struct {
		Configs []struct {
			Routes []struct {
				Config struct {
					Hosts []struct {
						Domains []string        `json:"domains"`
						Routes  json.RawMessage `json:"routes"`
					} `json:"virtual_hosts"`
				} `json:"route_config"`
			} `json:"dynamic_route_configs"`
		}
	}
	if err := json.Unmarshal([]byte(pod.Admin(t, "/config_dump?mask=dynamic_route_configs")), &dump); err != nil {
		t.Fatal(err)
	}
	for _, config := range dump.Configs {
		for _, routes := range config.Routes {
			for _, h := range routes.Config.Hosts {
				if len(h.Domains) > 0 && h.Domains[0] == host {
					return string(h.Routes)
				}
			}
		}
	}
	return ""
}
