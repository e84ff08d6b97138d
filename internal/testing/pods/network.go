package pods

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// Network connects pods through a router, like the nodes of a cluster. Virtual addresses exist only in the sidecars.
type Network struct {
	// CA issues the certificates of all pods.
	CA *pki.Authority
	// Dir is a temporary directory that sidecars can read.
	Dir string
	// Drain is the drain time of pods that are added afterwards. The default of one second, instead of half a minute in a mesh,
	// keeps tests short.
	Drain time.Duration
	// IPv6Alone gives pods that are added afterwards no IPv4 address, as in a cluster of the family IPv6.
	IPv6Alone bool
	// Accounts are those of pods by their names. Other sidecars do not know theirs, and do not name it to servers.
	Accounts map[string]identity.ServiceAccount
	// Env has more environment variables of sidecars that are added afterwards, each as NAME=value.
	Env []string

	router *nstest.Namespace
	xds    *server
	pods   int
	// program is the Envoy binary of pods that are added.
	program string
}

// NewNetwork starts the network and the ADS server of its sidecars; both end with the test.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	dir := publicDir(t)
	n := &Network{CA: pki.New(t), Dir: dir, Drain: time.Second, router: nstest.New(t), xds: serve(t, filepath.Join(dir, "xds.sock"))}
	n.Run(t, envoytest.Binary(t))
	n.router.Do(func() {
		for _, knob := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+knob, []byte("1"), 0); err != nil {
				t.Errorf("forwarding cannot be enabled on the router: %v", err)
			}
		}
	})
	return n
}

// Run selects the Envoy binary for pods that are added afterwards.
func (n *Network) Run(t testing.TB, binary string) {
	t.Helper()
	n.program = envoytest.Install(t, binary, n.Dir)
}

// Reject makes the router reject connections to a range of addresses at once. Connections to other unassigned addresses fail
// with a delay, because the kernel limits its error messages.
func (n *Network) Reject(t testing.TB, addresses netip.Prefix) {
	t.Helper()
	family := "-4 "
	if addresses.Addr().Is6() {
		family = "-6 "
	}
	n.router.IP(t, family+"route add local "+addresses.String()+" dev lo")
}

// Vanish makes the router drop all packets to a pod, as if its node had lost power. Nobody is told.
func (n *Network) Vanish(t testing.TB, p *Pod) {
	t.Helper()
	for _, address := range p.Addresses() {
		family, size := "-4", 32
		if address.Is6() {
			family, size = "-6", 128
		}
		n.router.IP(t, fmt.Sprintf("%s route add blackhole %s/%d", family, address, size))
	}
}

// publicDir returns a temporary directory that the sidecar's user can enter.
func publicDir(t testing.TB) string {
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
func (n *Network) Bare(t testing.TB) *Pod {
	t.Helper()
	n.pods++
	p := &Pod{
		NS: nstest.New(t),
		IP: netip.AddrFrom4([4]byte{10, 77, byte(n.pods), 2}),
		// Equal numbers in both families make failures easier to read.
		IP6: netip.MustParseAddr(fmt.Sprintf("fd77:%d::2", n.pods)),
	}
	device := fmt.Sprintf("pod%d", n.pods)
	gateway, gateway6 := fmt.Sprintf("10.77.%d.1", n.pods), fmt.Sprintf("fd77:%d::1", n.pods)
	outer, inner := []string{gateway6 + "/64"}, []string{p.IP6.String() + "/64"}
	if !n.IPv6Alone {
		outer, inner = append(outer, gateway+"/24"), append(inner, p.IP.String()+"/24")
	}
	nstest.Connect(t, device, n.router, outer, p.NS, inner)
	p.NS.IP(t, "-6 route add default via "+gateway6)
	if n.IPv6Alone {
		p.IP = p.IP6
	} else {
		p.NS.IP(t, "route add default via "+gateway)
	}
	return p
}

// StartEnvoy runs Envoy in a pod without a sidecar, for example as an ingress controller. Its name is unique.
func (n *Network) StartEnvoy(t testing.TB, p *Pod, name string, config *bootstrapv3.Bootstrap) {
	t.Helper()
	p.PID = envoytest.Start(t, p.NS, n.program, n.Dir, name, n.Drain, config)
}

// Pod adds a pod with a sidecar and a unique name. The sidecar has no configuration before Configure.
func (n *Network) Pod(t testing.TB, name string) *Pod {
	t.Helper()
	return n.PodRedirected(t, name, redirect.Config{})
}

// PodRedirected is Pod with exclusions from the redirection. It sets the addresses of the pod in rules.
func (n *Network) PodRedirected(t testing.TB, name string, rules redirect.Config) *Pod {
	t.Helper()
	return n.Custom(t, name, rules, n.Bootstrap(name))
}

// Bootstrap returns the default bootstrap of a pod with the given name.
func (n *Network) Bootstrap(name string) *bootstrapv3.Bootstrap { return bootstrap(name, n.xds.socket) }

// PodFrom is Pod with a custom bootstrap that uses the default admin port. Configure works only if the bootstrap uses the
// network's ADS server.
func (n *Network) PodFrom(t testing.TB, name string, config *bootstrapv3.Bootstrap) *Pod {
	t.Helper()
	return n.Custom(t, name, redirect.Config{}, config)
}

// Custom combines PodRedirected and PodFrom.
func (n *Network) Custom(t testing.TB, name string, rules redirect.Config, config *bootstrapv3.Bootstrap) *Pod {
	t.Helper()
	p := n.Bare(t)
	p.name, p.network = name, n
	rules.PodIPs = p.Addresses()
	var err error
	p.NS.Do(func() { err = redirect.Apply(rules) })
	if err != nil {
		t.Fatal(err)
	}
	p.PID = envoytest.Start(t, p.NS, n.program, n.Dir, name, n.Drain, config, p.environment()...)
	return p
}

// dnsPort is the port of a NameServer. Port 53 needs no exception here, because sidecars are not redirected.
const dnsPort = 53

// dnsTTL is the TTL of answers in seconds.
const dnsTTL = 1

// NameServer answers DNS queries of sidecars.
type NameServer struct {
	address netip.Addr

	mu      sync.Mutex
	records map[string][]netip.Addr
	// silent are the names without an answer.
	silent []string
	// queries counts queries by the queried name.
	queries map[string]int
}

// NameServer starts a DNS server without names in a pod of its own. It ends with the test.
func (n *Network) NameServer(t testing.TB) *NameServer {
	t.Helper()
	pod := n.Bare(t)
	s := &NameServer{address: pod.IP, records: map[string][]netip.Addr{}, queries: map[string]int{}}
	var conn net.PacketConn
	var err error
	pod.NS.Do(func() { conn, err = net.ListenPacket("udp", nstest.Address(pod.IP.String(), dnsPort)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go s.serve(conn)
	return s
}

// Set replaces the addresses of a name. Without addresses, the name does not exist.
func (s *NameServer) Set(name string, addresses ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[name+"."] = addresses
}

// Silence makes the server never answer queries for a name.
func (s *NameServer) Silence(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, name+".")
	s.silent = append(s.silent, name+".")
}

// Queries returns how many queries the server received, by the queried name.
func (s *NameServer) Queries() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.queries)
}

// ResolverConfig is the configuration of a sidecar that uses the server.
func (s *NameServer) ResolverConfig() *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{
		Name:        "envoy.network.dns_resolver.cares",
		TypedConfig: packed(&caresv3.CaresDnsResolverConfig{Resolvers: []*corev3.Address{tcp(s.address.String(), dnsPort)}}),
	}
}

func (s *NameServer) serve(conn net.PacketConn) {
	const maxQuery = 4096
	buffer := make([]byte, maxQuery)
	for {
		size, client, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, err := s.answer(buffer[:size]); err == nil {
			_, _ = conn.WriteTo(answer, client)
		}
	}
}

var errSilent = errors.New("the name has no answer")

func (s *NameServer) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	message.Response, message.RecursionAvailable, message.Additionals = true, true, nil
	for _, question := range message.Questions {
		name := question.Name.String()
		s.queries[strings.TrimSuffix(name, ".")]++
		if slices.Contains(s.silent, name) {
			return nil, errSilent
		}
		addresses := s.records[name]
		if len(addresses) == 0 {
			message.RCode = dnsmessage.RCodeNameError
		}
		for _, address := range addresses {
			header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: dnsTTL}
			switch {
			case question.Type == dnsmessage.TypeA && address.Is4():
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
			case question.Type == dnsmessage.TypeAAAA && address.Is6():
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
			}
		}
	}
	return message.Pack()
}
