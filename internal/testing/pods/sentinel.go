package pods

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

func sentinelName(version int) string { return fmt.Sprintf("sentinel-%d", version) }

// sentinelAddress is the address of a version's sentinel inside the pod.
func sentinelAddress(version int) string { return fmt.Sprintf("127.0.0.1:%d", sentinelPort(version)) }

func sentinelPort(version int) uint32 { return uint32(20000 + version) }

// sentinel returns a listener on a separate port for each version. It responds only when its routes have arrived, which Envoy
// requests last, and when the worker thread has applied all earlier updates.
func sentinel(version int) []envoy.Resource {
	name := sentinelName(version)
	routes := &routev3.RouteConfiguration{Name: name}
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: name,
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
		}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads(), RouteConfigName: name}},
	}
	listener := &listenerv3.Listener{
		Name:    name,
		Address: tcp("127.0.0.1", sentinelPort(version)),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "hcm",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(hcm)},
		}}}},
	}
	return []envoy.Resource{
		{TypeURL: envoy.ListenerType, Name: name, Message: listener},
		{TypeURL: envoy.RouteType, Name: name, Message: routes},
	}
}
