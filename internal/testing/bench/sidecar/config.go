package sidecar

import (
	"fmt"
	"net/netip"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// variant is a selection of statistics.
type variant struct {
	name string
	// labels is whether the metrics of workloads are measured.
	labels bool
	// statistics are those of Envoy.
	statistics string
}

var variants = []variant{
	{"all of Envoy, without workloads", false, bootstrap.AllStatistics},
	{"all of Envoy, with workloads", true, bootstrap.AllStatistics},
	{"essential, with workloads", true, "Essential"},
}

// configuration is that of a client's sidecar with one Service. It has no TLS and no control plane, which cost the same with any statistics.
func (v variant) configuration(listen, application, admin netip.AddrPort) (*bootstrapv3.Bootstrap, error) {
	name := catalog.Name{Namespace: "shop", Name: "web"}
	s := &scope.Scope{
		Outbound: []scope.Outbound{{
			Service: name, Port: listen.Port(), Protocol: catalog.ProtocolHTTP, Addresses: []netip.Addr{listen.Addr()},
			Backends: []scope.Backend{{Cluster: scope.ClusterName(name, application.Port()), Weight: 100}},
		}},
		Clusters: []scope.Cluster{{Service: name, TargetPort: application.Port(), Protocol: catalog.ProtocolHTTP}},
	}
	endpoints := envoy.Endpoints(s.Clusters[0].Name(), scope.Endpoints{
		Addresses: []netip.AddrPort{application}, Workloads: []catalog.Workload{{Kind: "Deployment", Name: "web"}},
	})
	resources := append(envoy.Build(s), endpoints)
	resources = append(resources, envoy.TrustSecrets(s, []byte("unused"))...)
	resources = append(resources, envoy.ServiceCertSecret(envoy.ServiceCertName, []byte("unused"), []byte("unused")))
	static, err := envoytest.Static(resources)
	if err != nil {
		return nil, err
	}
	for _, cluster := range static.GetClusters() {
		cluster.TransportSocket = nil
	}
	static.Listeners = slices.DeleteFunc(static.Listeners, bindsPort)
	for _, listener := range static.GetListeners() {
		listener.BindToPort = wrapperspb.Bool(true)
		if v.labels {
			continue
		}
		for _, filter := range listener.GetFilterChains()[0].GetFilters() {
			if err := withoutStats(filter.GetTypedConfig()); err != nil {
				return nil, err
			}
		}
	}
	return &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "bench", Cluster: "bench"},
		Admin:           &bootstrapv3.Admin{Address: message.SocketAddress(admin.Addr().String(), admin.Port())},
		StaticResources: static, StatsConfig: bootstrap.StatsConfig(v.statistics), DeferredStatOptions: bootstrap.DeferredStats(),
	}, nil
}

// bindsPort reports whether a listener takes redirected connections.
func bindsPort(l *listenerv3.Listener) bool {
	return l.GetBindToPort() == nil || l.GetBindToPort().GetValue()
}

// withoutStats removes the loggers of statistics from an HTTP connection manager.
func withoutStats(config *anypb.Any) error {
	hcm := &hcmv3.HttpConnectionManager{}
	if err := config.UnmarshalTo(hcm); err != nil {
		return fmt.Errorf("the listener has no HTTP connection manager: %w", err)
	}
	hcm.AccessLog = slices.DeleteFunc(hcm.GetAccessLog(), func(l *accesslogv3.AccessLog) bool { return l.GetName() == "stats" })
	return config.MarshalFrom(hcm)
}
