package verdict

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

const (
	// sessionPort is the port of the server that returns each byte.
	sessionPort = 7004
	// switchedServices is how many Services with HTTP exist. A sidecar needs some time for the clusters and routes of all.
	switchedServices = 40
	// switchedDrain exceeds the test: that of Open Service Mesh is ten minutes.
	switchedDrain = 10 * time.Minute
)

// TestBridgeSwitchLosesNothing replaces the control plane of Open Service Mesh under load. Requests on new connections and on those that were open, from and to
// its sidecars, all succeed.
func TestBridgeSwitchLosesNothing(t *testing.T) {
	shared := newListenerSwitch(podAddress(1), podAddress(3))
	binary := envoytest.Oldest(t)
	n := newNetworkOf(t, switchedDrain, len(pods), map[int]string{1: binary, 3: binary}, shared.begin)
	ports := switchedPorts()
	n.servePorts(t, ports)
	osm := n.startOSM(t, shared, ports)
	load := &switchLoad{}
	for from := range n.pods {
		client := n.pods[from].NS.HTTP()
		for _, p := range ports {
			eventually.True(t, 20*time.Second, fmt.Sprintf("%s calls %s", pods[from].name, p.Service), func() bool { return n.tryPort(from, client, p) == "" })
		}
	}
	load.start(t, n, ports)
	time.Sleep(time.Second)
	before := load.count.Load()
	shared.toOurs(osm)
	eventually.True(t, 20*time.Second, "the control plane serves the sidecars of Open Service Mesh", func() bool { return n.control.store.CountOSMProxies() == 2 })
	if problem := n.waitAcknowledged(); problem != "" {
		t.Fatal(problem)
	}
	time.Sleep(2 * time.Second)
	load.end()
	t.Logf("%d requests before the switch, and %d after it", before, load.count.Load()-before)
	if before == 0 || load.count.Load() < 2*before {
		t.Error("the load is too small")
	}
	if len(load.failures) > 0 {
		t.Errorf("%d requests failed, such as %q", len(load.failures), load.failures[:min(len(load.failures), 10)])
	}
}

// servePorts replaces the mesh by one in permissive mode with Services for the ports.
func (n *Network) servePorts(t *testing.T, ports []legacyosm.Port) {
	t.Helper()
	entries := []catalog.Entry{&catalog.Settings{Permissive: true}}
	for _, p := range ports {
		protocol := inventory.ProtocolTCP
		if p.HTTP {
			protocol = inventory.ProtocolHTTP
		}
		entries = append(entries, Service(p.Namespace, p.Service, podLabel(p.Pod), p.Address.String(), p.Number, protocol))
	}
	for _, pod := range n.pods {
		pod.ServeTCP(t, sessionPort, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	}
	w := Mesh(entries...)
	n.control.apply(changes(n.State.entries(), w.entries()))
	n.State = w
}

// switchedPorts are the ports of the Services: those with HTTP in the first, second and fourth pod, and one of TCP in the second. The last two have sidecars of Open Service Mesh.
func switchedPorts() []legacyosm.Port {
	var ports []legacyosm.Port
	for i := range switchedServices {
		server := []int{0, 1, 3}[i%3]
		ports = append(ports, legacyosm.Port{
			Namespace: pods[server].name.Namespace, Service: fmt.Sprintf("s%d", i), Number: webPort, HTTP: true,
			Address: virtualAddress(byte(i + 1)), Pod: podAddress(server),
		})
	}
	return append(ports, legacyosm.Port{Namespace: "a", Service: "sessions", Number: sessionPort, Address: virtualAddress(switchedServices + 1), Pod: podAddress(1)})
}

// podLabel is the label that Mesh gives the pod with an address.
func podLabel(address netip.Addr) string {
	for i := range pods {
		if podAddress(i) == address {
			return fmt.Sprint(i)
		}
	}
	panic("no pod has the address " + address.String())
}

// startOSM runs a control plane of Open Service Mesh for the pods with its sidecars.
func (n *Network) startOSM(t *testing.T, shared *listenerSwitch, ports []legacyosm.Port) *legacyosm.ControlPlane {
	t.Helper()
	key, err := n.control.root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	authority := pki.Load(t, n.control.rootPEM, key)
	own, private := legacyosm.ClientCertificate(t, authority, "osm-controller")
	pair, err := tls.X509KeyPair(own, private)
	if err != nil {
		t.Fatal(err)
	}
	osm := legacyosm.NewControlPlane(t, pair)
	for _, i := range []int{1, 3} {
		account := identity.ServiceAccount{Namespace: pods[i].name.Namespace, Name: pods[i].account}
		chain, private := authority.Issue(t, account, trustDomain)
		osm.Configure(t, legacyosm.Proxy{
			NodeID: legacyosm.CommonName(legacyosm.UUID(i), account, trustDomain), Address: podAddress(i), Account: account.String(), Chain: chain, Key: private, Root: n.control.rootPEM,
		}, ports)
	}
	osm.Start(shared.handed(shared.earlier))
	return osm
}

// tryPort sends one request to a port, on a connection of its own if the client keeps none. It returns what failed, or nothing.
func (n *Network) tryPort(from int, client *http.Client, p legacyosm.Port) string {
	at := netip.AddrPortFrom(p.Address, p.Number).String()
	if !p.HTTP {
		conn, err := n.pods[from].NS.Dial(nil, "tcp", at) //nolint:staticcheck // it uses no context
		if err != nil {
			return fmt.Sprintf("%s to %s: %v", pods[from].name, p.Service, err)
		}
		defer conn.Close()
		if !(session{conn}).isOpen() {
			return fmt.Sprintf("%s to %s: the connection is closed", pods[from].name, p.Service)
		}
		return ""
	}
	answer, err := client.Get("http://" + at)
	if err != nil {
		return fmt.Sprintf("%s to %s: %v", pods[from].name, p.Service, err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s to %s: status %d, %v", pods[from].name, p.Service, answer.StatusCode, err)
	}
	return ""
}
