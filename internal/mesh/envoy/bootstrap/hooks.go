package bootstrap

import (
	"net/http"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// hookListenerName is the name of the listener for all hooks of a pod.
const hookListenerName = "hook_listener"

// failedHookLocation is the redirect location when the application does not answer a hook. The kubelet treats every
// status as success, but fails on a location that it cannot parse and puts this text into its Event.
const failedHookLocation = "://the application does not answer"

// hookListener forwards the kubelet's hooks to the application without a timeout.
func hookListener(c Config, shared []Probe) *listenerv3.Listener {
	var routes []*routev3.Route
	for _, p := range shared {
		route := pathRoute(http.MethodGet, p.Kind.HookPath(c.ProxyUUID, p.Container), clusterNameOf(p, false), p.Path, 0)
		route.GetRoute().IdleTimeout = durationpb.New(0)
		routes = append(routes, route)
	}
	manager := connectionManager(probesStatPrefix, routes)
	manager.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			// The connection failed, was closed, or had no healthy endpoint.
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF", "UC", "UH"}},
		}},
		StatusCode: wrapperspb.UInt32(307),
		HeadersToAdd: []*corev3.HeaderValueOption{{
			Header:       &corev3.HeaderValue{Key: "location", Value: failedHookLocation},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}},
	}}}
	return podListener(c, hookListenerName, shared[0].ListenPort, message.NetworkFilter("http_connection_manager", manager))
}
