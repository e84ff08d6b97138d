package legacyosm

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

// Port is a port of a Service, for sidecars in permissive mode. Its pods have the same port.
type Port struct {
	Namespace, Service string
	Number             uint16
	HTTP               bool
	// Address is the virtual address, and Pod the address of the only pod.
	Address, Pod netip.Addr
}

// Proxy is a sidecar, with its certificate and the root of the mesh in PEM.
type Proxy struct {
	NodeID  string
	Address netip.Addr
	// Account is <service account>/<namespace>, as in OSM's names of secrets.
	Account          string
	Chain, Key, Root []byte
}

//go:embed manifests/resources.yaml
var resources string

// ControlPlane serves constant configuration to sidecars, as OSM's control plane does: over the state of the world protocol, with one outbound
// listener. It ends with the test, or when Stop is called.
type ControlPlane struct {
	*grpc.Server
	cache cache.SnapshotCache
}

// NewControlPlane returns a control plane with a TLS certificate, without configuration.
func NewControlPlane(t testing.TB, certificate tls.Certificate) *ControlPlane {
	t.Helper()
	c := &ControlPlane{
		Server: grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&certificate))), cache: cache.NewSnapshotCache(false, cache.IDHash{}, nil),
	}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(c.Server, serverv3.NewServer(context.Background(), c.cache, nil))
	t.Cleanup(c.Stop)
	return c
}

// Start serves on a listener in the background.
func (c *ControlPlane) Start(listener net.Listener) { go func() { _ = c.Serve(listener) }() }

// Configure sets the configuration of a sidecar, which accepts those of the ports whose pod it belongs to.
func (c *ControlPlane) Configure(t testing.TB, p Proxy, ports []Port) {
	t.Helper()
	byType := map[string][]types.Resource{}
	for _, text := range strings.Split(resources, "---\n") {
		condition, text, _ := strings.Cut(text, "\n")
		fill := func(more ...string) string { return strings.NewReplacer(append(p.values(), more...)...).Replace(text) }
		switch condition {
		case "# sidecar":
			addResource(t, byType, fill(
				"(inbound chains)", p.chains(ports, inboundChain, func(port Port) bool { return port.Pod == p.Address }),
				"(outbound chains)", p.chains(ports, outboundChain, func(Port) bool { return true }),
				"(inbound hosts)", hosts(ports, inboundHost), "(outbound hosts)", hosts(ports, outboundHost)))
		case "# port":
			for _, port := range ports {
				addResource(t, byType, strings.NewReplacer(port.values()...).Replace(fill()))
			}
		}
	}
	snapshot, err := cache.NewSnapshot("1", byType)
	if err == nil {
		err = c.cache.SetSnapshot(context.Background(), p.NodeID, snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p Proxy) values() []string {
	return []string{"(account)", p.Account, "(chain)", oneLine(p.Chain), "(key)", oneLine(p.Key), "(root)", oneLine(p.Root)}
}

func (p Port) values() []string {
	return []string{
		"(namespace)", p.Namespace, "(service)", p.Service, "(number)", fmt.Sprint(p.Number), "(address)", p.Address.String(), "(pod)", p.Pod.String(),
	}
}

// addResource adds a resource in YAML by its type.
func addResource(t testing.TB, byType map[string][]types.Resource, text string) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte("resources: [" + strings.TrimSpace(text) + "]"))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var response discoveryv3.DiscoveryResponse
	if err := protojson.Unmarshal(asJSON, &response); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	m, err := response.GetResources()[0].UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	kind := response.GetResources()[0].GetTypeUrl()
	byType[kind] = append(byType[kind], m)
}

const (
	ads   = `{ads: {}, resource_api_version: V3}`
	match = `{prefix_ranges: [{address_prefix: (address), prefix_len: 32}], destination_port: (number)}`

	inboundMatch = `{destination_port: (number), server_names: [(service).(namespace).svc.cluster.local], transport_protocol: tls, application_protocols: [osm]}`

	serverTLS = `{name: envoy.transport_sockets.tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext,
  require_client_certificate: true, common_tls_context: {
    tls_certificate_sds_secret_configs: [{name: "service-cert:(account)", sds_config: ` + ads + `}],
    validation_context_sds_secret_config: {name: "root-cert-for-mtls-inbound:(account)", sds_config: ` + ads + `}}}}`

	outboundChain = `{name: "outbound_(namespace)/(service)_(number)", filter_chain_match: ` + match + `, filters: [(filter outbound)]}`
	inboundChain  = `{name: "inbound_(namespace)/(service)_(number)", filter_chain_match: ` + inboundMatch + `, transport_socket: ` + serverTLS + `, filters: [(filter inbound)]}`

	httpFilter = `{name: http_connection_manager, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
  stat_prefix: mesh-http-conn-manager, rds: {config_source: ` + ads + `, route_config_name: rds-(direction)},
  http_filters: [{name: http_router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}`
	tcpFilter = `{name: tcp_proxy, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: "(cluster)"}}`

	outboundHost = `{name: "outbound_virtual-host|(service)", domains: ["(address):(number)"], routes: [{match: {prefix: /}, route: {cluster: "(namespace)/(service)|(number)"}}]}`
	inboundHost  = `{name: "inbound_virtual-host|(service)", domains: ["(address):(number)"], routes: [{match: {prefix: /}, route: {cluster: "(namespace)/(service)|(number)|local"}}]}`
)

// chains are the filter chains of some ports.
func (p Proxy) chains(ports []Port, chain string, has func(Port) bool) string {
	var list []string
	for _, port := range ports {
		if !has(port) {
			continue
		}
		filled := strings.NewReplacer("(filter outbound)", port.filter("outbound", ""), "(filter inbound)", port.filter("inbound", "|local")).Replace(chain)
		list = append(list, strings.NewReplacer(append(p.values(), port.values()...)...).Replace(filled))
	}
	return strings.Join(list, ",\n")
}

// filter is the network filter of a direction, whose clusters have a suffix.
func (p Port) filter(direction, suffix string) string {
	if p.HTTP {
		return strings.Replace(httpFilter, "(direction)", direction, 1)
	}
	return strings.Replace(tcpFilter, "(cluster)", "(namespace)/(service)|(number)"+suffix, 1)
}

// hosts are the virtual hosts of the ports with HTTP.
func hosts(ports []Port, host string) string {
	var list []string
	for _, port := range ports {
		if port.HTTP {
			list = append(list, strings.NewReplacer(port.values()...).Replace(host))
		}
	}
	return strings.Join(list, ",\n")
}
