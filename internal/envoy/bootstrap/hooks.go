package bootstrap

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// hookListenerName is the name of the listener for all hooks of a pod.
const hookListenerName = "hook_listener"

// redirectToNowhere is where the sidecar sends the kubelet when the application does not answer a hook. The kubelet takes every
// status for success, and a redirection that cannot be followed for a failure, with this text in its Event.
const redirectToNowhere = "://the application does not answer"

// hookListener leads the kubelet's hooks to the application, as long as they take.
func hookListener(c Config, shared []Probe) *listenerv3.Listener {
	var routes []*routev3.Route
	for _, p := range shared {
		route := pathRoute(p.Kind.HookPath(c.ProxyUUID, p.Container), clusterOf(p, false), p.Path, 0)
		route.GetRoute().IdleTimeout = durationpb.New(0)
		routes = append(routes, route)
	}
	manager := connectionManager(probesStatPrefix, routes)
	manager.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			// Nobody listens, or whoever listened hung up.
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF", "UC", "UH"}},
		}},
		StatusCode: wrapperspb.UInt32(307),
		HeadersToAdd: []*corev3.HeaderValueOption{{
			Header:       &corev3.HeaderValue{Key: "location", Value: redirectToNowhere},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}},
	}}}
	return podListener(c, hookListenerName, shared[0].ListenPort, networkFilter("http_connection_manager", manager))
}
