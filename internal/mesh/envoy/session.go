package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	sessionv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/stateful_session/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	cookiev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/stateful_session/cookie/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/stateful_session/header/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/type/http/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// keepSessions does nothing by itself: routes with session persistence configure it.
var keepSessions = &hcmv3.HttpFilter{
	Name: message.SessionFilter, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: message.Any(&sessionv3.StatefulSession{})},
}

// hasSessions reports whether a route of a port has session persistence.
func hasSessions(o *scope.Outbound) bool {
	for i := range o.HTTPRoutes {
		if o.HTTPRoutes[i].Session != nil {
			return true
		}
	}
	return false
}

// keepSession sends the requests of a session to the endpoint of the first one, while it is an endpoint. The cookie or header has its address.
func keepSession(route *routev3.Route, session *catalog.SessionPersistence) {
	name, state := "envoy.http.stateful_session.cookie", proto.Message(&cookiev3.CookieBasedSessionState{Cookie: &httpv3.Cookie{
		Name: session.Name, Path: "/", Ttl: durationUnlessZero(session.Lifetime),
	}})
	if session.Header {
		name, state = "envoy.http.stateful_session.header", &headerv3.HeaderBasedSessionState{Name: session.Name}
	}
	configureFilter(route, message.SessionFilter, &sessionv3.StatefulSessionPerRoute{
		Override: &sessionv3.StatefulSessionPerRoute_StatefulSession{StatefulSession: &sessionv3.StatefulSession{
			SessionState: &corev3.TypedExtensionConfig{Name: name, TypedConfig: message.Any(state)},
		}},
	})
}
