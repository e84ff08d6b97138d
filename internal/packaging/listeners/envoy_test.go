package listeners_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/packaging/listeners"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// clients describe who connects to the fixed ports of Envoy.
var clients = map[uint32]string{
	names.InboundPort: "clients of the pod, by redirection", names.OutboundPort: "the pod itself, by redirection", names.PrometheusPort: "anybody: metrics",
}

// envoyRows are the listeners of a sidecar with all features, and of the gateways.
func envoyRows(t *testing.T) []listeners.Row {
	t.Helper()
	common := func(account string, proxy scope.Proxy) scope.Common {
		key := scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: account}, Proxy: proxy}
		key.Class.Metrics = true
		return scope.Common{Key: key, TrustDomain: "cluster.local"}
	}
	sidecar := &scope.Scope{Common: common("web", scope.ProxySidecar)}
	sidecar.Inbound = []scope.Inbound{{Service: entity.Name{Namespace: "shop", Name: "web"}, Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}}
	ingress := &scope.Scope{Common: common(names.IngressGateway, scope.ProxyIngressGateway), IngressGateway: &scope.IngressGateway{Listeners: []scope.GatewayListener{
		{Name: "shop/web/a", Port: 80, Bind: 10080}, {Name: "shop/web/b", Port: 443, Bind: 10443, Hostname: "b.example", Certificates: []string{"shop/tls"}},
	}}}
	egress := &scope.Scope{Common: common(names.EgressGateway, scope.ProxyEgressGateway), EgressGateway: &scope.EgressGateway{Destinations: []scope.EgressDestination{{}}}}
	egress.EgressGateway.Destinations[0].Policy = entity.Name{Namespace: "shop", Name: "api"}
	egress.EgressGateway.Destinations[0].Host, egress.EgressGateway.Destinations[0].Port = "api.example.com", 80
	egress.EgressGateway.Destinations[0].Protocol = inventory.ProtocolHTTP
	var rows []listeners.Row
	peer := &scope.Scope{Common: common(names.PeerGateway, scope.ProxyPeerGateway), PeerGateway: &scope.PeerGateway{}}
	for program, s := range map[string]*scope.Scope{
		"sidecar": sidecar, names.IngressGateway: ingress, names.EgressGateway: egress, names.PeerGateway: peer,
	} {
		gateway := program != "sidecar"
		config := boot(t, gateway)
		fields := config.GetLayeredRuntime().GetLayers()[0].GetStaticLayer().GetFields()
		list := config.GetStaticResources().GetListeners()
		for _, r := range envoy.Build(s) {
			if l, ok := r.Message.(*listenerv3.Listener); ok {
				list = append(list, l)
			}
		}
		for _, l := range list {
			row := envoyRow(t, program, l)
			if limit := fields["envoy.resource_limits.listener."+l.GetName()+".connection_limit"]; limit != nil && row.Connections == "none" {
				row.Connections = fmt.Sprint(limit.GetNumberValue())
			}
			if gateway && row.Connections == "none" && !l.GetIgnoreGlobalConnLimit() {
				row.Connections = "by its [memory limit](limits.md#gateways)"
			}
			rows = append(rows, row)
		}
		rows = append(rows, listeners.Row{Program: program, Port: names.AdminPort, Clients: "the loopback interface", Connections: "none", Header: "none", Idle: "none", Body: "none"})
	}
	return rows
}

// boot returns the bootstrap of a sidecar with all probes, or of a gateway.
func boot(t *testing.T, gateway bool) *bootstrapv3.Bootstrap {
	t.Helper()
	config := bootstrap.Config{
		ProxyUUID: "uuid", TrustDomain: "cluster.local", XDSHost: "osm-controller", XDSPort: names.ADSPort, ServiceAccount: "web", Namespace: "shop",
		Metrics: true, Gateway: gateway, Dirs: bootstrap.DefaultDirs(),
	}
	for _, kind := range bootstrap.ProbeKinds() {
		if !gateway {
			config.Probes = append(config.Probes, bootstrap.Probe{
				Kind: kind, Container: "web", Handler: "http", ListenPort: kind.ListenPort(), Port: 8080, Path: "/health", TimeoutSeconds: 1, PeriodSeconds: 10,
			})
		}
	}
	files, err := bootstrap.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(files[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	out := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// defaultInspection is how long Envoy waits for what its listener filters read, such as a server name, before it closes a connection.
const defaultInspection = 15 * time.Second

// envoyRow describes a listener by its strictest limits for clients.
func envoyRow(t *testing.T, program string, l *listenerv3.Listener) listeners.Row {
	t.Helper()
	address := l.GetAddress().GetSocketAddress()
	row := listeners.Row{Program: program, Port: int(address.GetPortValue()), Clients: clients[address.GetPortValue()], Connections: "none", Header: "none", Idle: "none", Body: "streamed"}
	switch {
	case strings.HasPrefix(address.GetAddress(), "127."):
		row.Clients = "the loopback interface"
	case row.Clients == "" && (address.GetPortValue() >= names.LivenessPort || strings.Contains(l.GetName(), "ready")):
		row.Clients = "anybody: health"
	case row.Clients == "":
		row.Clients = "anybody who reaches the gateway"
	}
	// Sidecars read nothing on ports whose servers send first, so the time does not limit all of their clients.
	if program != "sidecar" && len(l.GetListenerFilters()) > 0 && !l.GetContinueOnListenerFiltersTimeout() {
		row.Header = duration(defaultInspection)
		if d := l.GetListenerFiltersTimeout(); d != nil {
			row.Header = duration(d.AsDuration())
		}
	}
	for _, chain := range l.GetFilterChains() {
		if d := chain.GetTransportSocketConnectTimeout().AsDuration(); d > 0 {
			row.Header = duration(d)
		}
		for _, filter := range chain.GetFilters() {
			var limit connectionlimitv3.ConnectionLimit
			if filter.GetTypedConfig().UnmarshalTo(&limit) == nil {
				row.Connections = fmt.Sprint(limit.GetMaxConnections().GetValue())
			}
			var hcm hcmv3.HttpConnectionManager
			if filter.GetTypedConfig().UnmarshalTo(&hcm) != nil {
				continue
			}
			if d := hcm.GetRequestHeadersTimeout().AsDuration(); d > 0 {
				row.Header = duration(d)
			}
			if d := hcm.GetCommonHttpProtocolOptions().GetIdleTimeout().AsDuration(); d > 0 {
				row.Idle = duration(d)
			}
		}
	}
	return row
}

func duration(d time.Duration) string { return fmt.Sprintf("%v s", d.Seconds()) }
