package verdict

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Network holds the pods with their sidecars and applications, and their control plane.
type Network struct {
	// failed is the first failure of a step. Rapid repeats what failed several times, and each time would be reduced again.
	failed string

	// Report counts the results of all steps.
	Report Report

	control *control
	pods    []*podstest.Pod
	// outside is a pod without a sidecar.
	outside *podstest.Pod
	// State is the current state of the control plane.
	State State
	// drained is when no connection asks earlier authorization servers any more.
	drained time.Time
}

// NewNetwork starts a network that ends with the test. The mesh initially has only its pods.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	return newNetwork(t, DrainTime, len(pods))
}

// NewBridgedNetwork is NewNetwork where the second and the fourth pod have sidecars of Open Service Mesh that run an Envoy binary.
func NewBridgedNetwork(t testing.TB, binary string) *Network {
	t.Helper()
	return newNetworkOf(t, DrainTime, len(pods), map[int]string{1: binary, 3: binary})
}

// NewMixedNetwork is NewNetwork with sidecars of two minor versions of Envoy. The second half of the pods has the earlier one, so
// that both versions are clients and servers of each other, also with the same account.
func NewMixedNetwork(t testing.TB) *Network {
	t.Helper()
	return newNetwork(t, DrainTime, len(pods)/2)
}

// DrainTime is the drain time of the sidecars. It exceeds the duration of a request on a busy machine.
const DrainTime = 3 * time.Second

// newNetwork starts the first pods with the current Envoy, and the others with the minor version before.
func newNetwork(t testing.TB, drain time.Duration, usual int) *Network {
	t.Helper()
	return newNetworkOf(t, drain, usual, nil)
}

// newNetworkOf is newNetwork with the Envoy binaries of pods that have sidecars of Open Service Mesh, and with what replaces the listener of the control plane.
func newNetworkOf(t testing.TB, drain time.Duration, usual int, osm map[int]string, replace ...func(net.Listener) net.Listener) *Network {
	t.Helper()
	network := podstest.NewNetwork(t)
	network.Drain, network.Accounts = drain, namedAccounts()
	network.Reject(t, netip.PrefixFrom(virtualAddress(0), 24))
	network.Reject(t, netip.PrefixFrom(virtualAddress6(0), 64))
	machine := network.Bare(t)
	listener := machine.NS.Listen(t, nstest.Address(machine.IP.String(), names.ADSPort))
	for _, replacement := range replace {
		listener = replacement(listener)
	}
	n := &Network{control: serve(t, listener), State: podsOnly(), outside: machine}
	serveOutsideServers(t, machine, n.control.outside)
	serveAuthorizers(t, machine)
	for i := range osm {
		if n.control.osm == nil {
			n.control.osm = map[entity.Name]string{}
		}
		n.control.osm[pods[i].name] = legacyosm.UUID(i)
	}
	n.control.apply(changes(nil, n.State.entries()))
	n.control.store.MarkSynced()
	for i, p := range pods {
		if i == usual {
			network.Run(t, envoytest.Binaries(t)[envoytest.EarlierVariable])
		}
		dir := filepath.Join(network.Dir, p.name.Name+".d")
		config := n.bootstrap(t, dir, i, machine.IP)
		if osm[i] != "" {
			network.Run(t, osm[i])
			config = n.osmBootstrap(t, i, machine.IP)
		}
		pod := network.PodFrom(t, p.name.Name, config)
		if osm[i] != "" {
			network.Run(t, envoytest.Binary(t))
		}
		if pod.IP != podAddress(i) || pod.IP6 != podAddress6(i) {
			t.Fatalf("pod %s has the addresses %s and %s, want %s and %s", p.name, pod.IP, pod.IP6, podAddress(i), podAddress6(i))
		}
		serveApplications(t, pod, p.name.Name)
		n.pods = append(n.pods, pod)
	}
	return n
}

// namedAccounts are the accounts that sidecars name to servers. One does not, like the sidecars of earlier control planes.
func namedAccounts() map[string]identity.ServiceAccount {
	accounts := map[string]identity.ServiceAccount{}
	for i, p := range pods {
		if i != 2 {
			accounts[p.name.Name] = identity.ServiceAccount{Namespace: p.name.Namespace, Name: p.account}
		}
	}
	return accounts
}

// Minors returns the minor versions of Envoy that the sidecars report to the control plane, sorted.
func (n *Network) Minors(t testing.TB) []string {
	t.Helper()
	minors := map[string]bool{}
	eventually.True(t, 10*time.Second, "all sidecars have reported their version", func() bool {
		list := n.control.store.Proxies()
		for _, proxy := range list {
			major, rest, _ := strings.Cut(proxy.Software.Envoy, ".")
			minor, _, known := strings.Cut(rest, ".")
			if !known {
				return false
			}
			minors[major+"."+minor] = true
		}
		return len(list) == len(pods)
	})
	return slices.Sorted(maps.Keys(minors))
}

// stats returns the statistics of a sidecar whose names match an expression.
func (n *Network) stats(pod *podstest.Pod, filter string) string {
	answer, err := pod.NS.HTTP().Get(fmt.Sprintf("http://127.0.0.1:%d/stats?filter=%s", names.AdminPort, filter))
	if err != nil {
		return "unreachable: " + err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return string(body)
}

// bootstrap renders the bootstrap of osm-init for a pod, and writes its files to a directory that the sidecar can read.
func (n *Network) bootstrap(t testing.TB, dir string, pod int, server netip.Addr) *bootstrapv3.Bootstrap {
	t.Helper()
	config := bootstrap.Config{
		Statistics: bootstrap.AllStatistics,
		ProxyUUID:  "uuid", TrustDomain: trustDomain, XDSHost: server.String(), XDSPort: names.ADSPort,
		ServiceAccount: pods[pod].account, Namespace: pods[pod].name.Namespace, PodIPs: []netip.Addr{podAddress(pod), podAddress6(pod)},
		Dirs: bootstrap.Dirs{Config: dir, Token: filepath.Join(dir, "token"), Trust: filepath.Join(dir, "trust")},
	}
	files, err := bootstrap.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files,
		bootstrap.File{Name: filepath.Join("token", names.TokenFile), Content: []byte(tokenOf(pod))},
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
		t.Fatalf("%s: %v", files[0].Name, err)
	}
	return parsed
}

// osmBootstrap renders the bootstrap of a sidecar of Open Service Mesh.
func (n *Network) osmBootstrap(t testing.TB, pod int, server netip.Addr) *bootstrapv3.Bootstrap {
	t.Helper()
	key, err := n.control.root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	name := legacyosm.CommonName(legacyosm.UUID(pod), identity.ServiceAccount{Namespace: pods[pod].name.Namespace, Name: pods[pod].account}, trustDomain)
	chain, private := legacyosm.ClientCertificate(t, pki.Load(t, n.control.rootPEM, key), name)
	return legacyosm.Bootstrap(name, server.String(), n.control.rootPEM, chain, private)
}

// tokenOf returns the token of the pod with the index.
func tokenOf(pod int) string { return fmt.Sprintf("token of %s", pods[pod].name) }

// podHeader is the response header with the name of the server.
const podHeader = "X-Pod"

// serveApplications runs the applications of a pod: two HTTP servers, a line echo, and a server that sends first.
func serveApplications(t testing.TB, pod *podstest.Pod, name string) {
	t.Helper()
	at := func(port uint16) string { return fmt.Sprintf("%s:%d", name, port) }
	for _, port := range []uint16{webPort, otherPort} {
		pod.ServeHTTP(t, port, nameOverHTTP(at(port)))
	}
	pod.ServeTCP(t, echoPort, nameAfterLine(at(echoPort)))
	pod.ServeTCP(t, greetsPort, nameAtOnce(at(greetsPort)))
}

// nameOverHTTP returns an HTTP server that responds with its name.
func nameOverHTTP(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(podHeader, name) })
}

// nameAfterLine returns a TCP server that responds to the first line with its name.
func nameAfterLine(name string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			_, _ = fmt.Fprintln(conn, name)
		}
	}
}

// nameAtOnce returns a TCP server that sends its name first.
func nameAtOnce(name string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = fmt.Fprintln(conn, name)
		_, _ = io.Copy(io.Discard, conn)
	}
}

// Ports of the servers outside the mesh. The first two are HTTP servers.
const (
	outsideWebPort    = 8090
	outsideOtherPort  = 8091
	outsideEchoPort   = 9010
	outsideGreetsPort = 9011
)

var outsidePorts = []uint16{outsideWebPort, outsideOtherPort, outsideEchoPort, outsideGreetsPort}

// outsideAddresses are the addresses of the servers and clients outside the mesh. The first is also that of the control plane.
var outsideAddresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 1, 2}), netip.AddrFrom4([4]byte{10, 77, 1, 3})}

// direction returns the direction of a request.
func (r Request) direction() direction {
	switch {
	case r.Client.Peer != "":
		return peering
	case r.From.IsValid():
		return ingress
	case slices.Contains(outsideAddresses, r.To.Addr()):
		return egress
	}
	return ""
}

// serveOutsideServers runs the servers outside the mesh in a pod without a sidecar. They respond with their address and port. Those with HTTP also accept TLS,
// with a certificate of an authority.
func serveOutsideServers(t testing.TB, pod *podstest.Pod, authority *pki.Authority) {
	t.Helper()
	if pod.IP != outsideAddresses[0] {
		t.Fatalf("the pod outside the mesh has the address %s, want %s", pod.IP, outsideAddresses[0])
	}
	pod.NS.IP(t, "address add "+outsideAddresses[1].String()+"/32 dev lo")
	pair := outsideCertificate(t, authority)
	for _, address := range outsideAddresses {
		at := func(port uint16) string { return netip.AddrPortFrom(address, port).String() }
		for _, port := range []uint16{outsideWebPort, outsideOtherPort} {
			serveEither(t, pod, at(port), pair)
		}
		pod.ServeTCPAt(t, at(outsideEchoPort), nameAfterLine(at(outsideEchoPort)))
		pod.ServeTCPAt(t, at(outsideGreetsPort), nameAtOnce(at(outsideGreetsPort)))
	}
}

// Pod returns the pod with the index. Pods 0 and 2 share one identity; pods 1 and 3 have their own.
func (n *Network) Pod(i int) *podstest.Pod { return n.pods[i] }

// Mesh returns a mesh with the entries. Each pod is ready and has its index as the value of the label "app".
func Mesh(entries ...catalog.Entry) State {
	w := State{}
	for i := range pods {
		p := newPod(i, string(rune('0'+i)), ready)
		w[p.Ref()] = p
	}
	for _, e := range entries {
		w[e.Ref()] = e
	}
	return w
}
