package envoytest

import (
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// Static returns a self-contained configuration: resources that Envoy would fetch over xDS are inlined. Endpoints may be
// missing, which makes the cluster empty. Any other unresolved reference is an error. The resources are not modified.
func Static(resources []envoy.Resource) (*bootstrapv3.Bootstrap_StaticResources, error) {
	s := set{}
	for _, r := range resources {
		s[key{r.TypeURL, r.Name}] = r.Message
	}
	out := &bootstrapv3.Bootstrap_StaticResources{}
	for _, r := range resources {
		switch m := proto.Clone(r.Message).(type) {
		case *clusterv3.Cluster:
			if err := s.cluster(m); err != nil {
				return nil, fmt.Errorf("cluster %q: %w", r.Name, err)
			}
			out.Clusters = append(out.Clusters, m)
		case *listenerv3.Listener:
			if err := s.listener(m); err != nil {
				return nil, fmt.Errorf("listener %q: %w", r.Name, err)
			}
			out.Listeners = append(out.Listeners, m)
		}
	}
	return out, nil
}

type key struct{ typeURL, name string }

type set map[key]proto.Message

func find[M proto.Message](s set, typeURL, name string) (M, error) {
	m, ok := s[key{typeURL, name}].(M)
	if !ok {
		return m, fmt.Errorf("it refers to %q of type %s, which is missing", name, typeURL)
	}
	return m, nil
}

func (s set) cluster(c *clusterv3.Cluster) error {
	if c.GetType() == clusterv3.Cluster_EDS {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.EdsClusterConfig = nil
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.GetName()}
		if known, err := find[*endpointv3.ClusterLoadAssignment](s, envoy.EndpointType, c.GetName()); err == nil {
			c.LoadAssignment = known
		}
	}
	if socket := c.GetTransportSocket(); socket != nil {
		return rewrite(socket.GetTypedConfig(), func(m *tlsv3.UpstreamTlsContext) error { return s.tls(m.GetCommonTlsContext()) })
	}
	return nil
}

func (s set) listener(l *listenerv3.Listener) error {
	chains := l.GetFilterChains()
	if l.GetDefaultFilterChain() != nil {
		chains = append(chains[:len(chains):len(chains)], l.GetDefaultFilterChain())
	}
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			if err := s.filter(f); err != nil {
				return fmt.Errorf("chain %q: %w", chain.GetName(), err)
			}
		}
		socket := chain.GetTransportSocket()
		if socket == nil {
			continue
		}
		err := rewrite(socket.GetTypedConfig(), func(m *tlsv3.DownstreamTlsContext) error { return s.tls(m.GetCommonTlsContext()) })
		if err != nil {
			return fmt.Errorf("chain %q: %w", chain.GetName(), err)
		}
	}
	return nil
}

// rewrite modifies the message inside an Any.
func rewrite[M proto.Message](wrapped *anypb.Any, change func(M) error) error {
	m, err := wrapped.UnmarshalNew()
	if err != nil {
		return err
	}
	typed, ok := m.(M)
	if !ok {
		return fmt.Errorf("it holds an unsupported %s", wrapped.GetTypeUrl())
	}
	if err := change(typed); err != nil {
		return err
	}
	return wrapped.MarshalFrom(typed)
}

func isHCM(wrapped *anypb.Any) bool { return wrapped.MessageIs(&hcmv3.HttpConnectionManager{}) }
