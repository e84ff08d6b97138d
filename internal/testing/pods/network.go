package pods

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"

	"github.com/openservicemesh/osm-operator/internal/redirect"
	"github.com/openservicemesh/osm-operator/internal/redirect/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// Network joins pods through a router, as the nodes of a cluster do. Addresses that no pod has are not reachable: virtual
// addresses exist only in the sidecars.
type Network struct {
	// CA issues the certificates of all pods.
	CA *pki.Authority
	// Dir is a directory that sidecars can read, gone after the test.
	Dir string
	// Drain is how long, in pods that are added from now on, connections of what is replaced last. It is a second, so that tests
	// need not wait for half a minute as in a mesh.
	Drain time.Duration

	router *nstest.Namespace
	xds    *server
	pods   int
	// program is the Envoy of pods that are added.
	program string
}

// NewNetwork starts the network and the ADS server of its sidecars; both end with the test.
func NewNetwork(t *testing.T) *Network {
	t.Helper()
	dir := publicDir(t)
	n := &Network{CA: pki.New(t), Dir: dir, Drain: time.Second, router: nstest.New(t), xds: serve(t, filepath.Join(dir, "xds.sock"))}
	n.Run(t, envoytest.Binary(t))
	n.router.Do(func() {
		for _, knob := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+knob, []byte("1"), 0); err != nil {
				t.Errorf("the router cannot forward: %v", err)
			}
		}
	})
	return n
}

// Run makes pods that are added from now on run another Envoy than the usual one.
func (n *Network) Run(t *testing.T, binary string) {
	t.Helper()
	n.program = envoytest.Install(t, binary, n.Dir)
}

// Refuse makes the router refuse connections to a range of addresses at once. Others that no pod has are not reachable either,
// but the kernel is slow to say so when it has said it often.
func (n *Network) Refuse(t *testing.T, addresses netip.Prefix) {
	t.Helper()
	family := "-4 "
	if addresses.Addr().Is6() {
		family = "-6 "
	}
	n.router.IP(t, family+"route add local "+addresses.String()+" dev lo")
}

// publicDir is a directory for the test that the sidecar's user can enter, too.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pods")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Bare adds a pod without a sidecar, for clients outside the mesh.
func (n *Network) Bare(t *testing.T) *Pod {
	t.Helper()
	n.pods++
	p := &Pod{
		NS: nstest.New(t),
		IP: netip.AddrFrom4([4]byte{10, 77, byte(n.pods), 2}),
		// The same number in both families makes failures easier to read.
		IP6: netip.MustParseAddr(fmt.Sprintf("fd77:%d::2", n.pods)),
	}
	device := fmt.Sprintf("pod%d", n.pods)
	gateway, gateway6 := fmt.Sprintf("10.77.%d.1", n.pods), fmt.Sprintf("fd77:%d::1", n.pods)
	nstest.Connect(t, device, n.router, []string{gateway + "/24", gateway6 + "/64"},
		p.NS, []string{p.IP.String() + "/24", p.IP6.String() + "/64"})
	p.NS.IP(t, "route add default via "+gateway)
	p.NS.IP(t, "-6 route add default via "+gateway6)
	return p
}

// Pod adds a pod with a sidecar, whose name must be unique in the network. The sidecar knows nothing before Configure.
func (n *Network) Pod(t *testing.T, name string) *Pod {
	t.Helper()
	return n.PodRedirected(t, name, redirect.Config{})
}

// PodRedirected is Pod with exceptions from the redirection. The addresses of the pod are filled in.
func (n *Network) PodRedirected(t *testing.T, name string, rules redirect.Config) *Pod {
	t.Helper()
	return n.Custom(t, name, rules, n.Bootstrap(name))
}

// Bootstrap is what the sidecar of a pod of that name is started with unless the caller adds to it.
func (n *Network) Bootstrap(name string) *bootstrapv3.Bootstrap { return bootstrap(name, n.xds.socket) }

// PodFrom is Pod with a bootstrap of the caller's, whose admin port must be the usual one. Configure reaches the sidecar only if
// the bootstrap leads to the network's own ADS server.
func (n *Network) PodFrom(t *testing.T, name string, config *bootstrapv3.Bootstrap) *Pod {
	t.Helper()
	return n.Custom(t, name, redirect.Config{}, config)
}

// Custom is PodRedirected and PodFrom in one.
func (n *Network) Custom(t *testing.T, name string, rules redirect.Config, config *bootstrapv3.Bootstrap) *Pod {
	t.Helper()
	p := n.Bare(t)
	p.name, p.network = name, n
	rules.PodIPs = []netip.Addr{p.IP, p.IP6}
	var err error
	p.NS.Do(func() { err = redirect.Apply(rules) })
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, p.NS, n.program, n.Dir, name, n.Drain, config)
	return p
}
