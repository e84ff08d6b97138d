package pods

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// dnsPort is the port of a NameServer. Port 53 needs no exception here, because sidecars are not redirected.
const dnsPort = 53

// dnsTTL is the TTL of answers in seconds.
const dnsTTL = 1

// NameServer answers DNS queries of sidecars.
type NameServer struct {
	address netip.Addr

	mu      sync.Mutex
	records map[string][]netip.Addr
}

// NameServer starts a DNS server without names in a pod of its own. It ends with the test.
func (n *Network) NameServer(t testing.TB) *NameServer {
	t.Helper()
	pod := n.Bare(t)
	s := &NameServer{address: pod.IP, records: map[string][]netip.Addr{}}
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

func (s *NameServer) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	message.Response, message.RecursionAvailable, message.Additionals = true, true, nil
	for _, question := range message.Questions {
		addresses := s.records[question.Name.String()]
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
