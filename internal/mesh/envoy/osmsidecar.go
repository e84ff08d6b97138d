package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover"
)

// forProxy returns all resources of a type as the proxy of the scope understands them.
func (p *parts) forProxy(resources []Resource) []Resource {
	if !p.Key.Class.OSM {
		return resources
	}
	var out []Resource
	var listeners []*listenerv3.Listener
	for _, r := range resources {
		r.Message = proto.Clone(r.Message) // messages share parts
		if listener, ok := r.Message.(*listenerv3.Listener); ok {
			listeners = append(listeners, listener)
			continue
		}
		takeover.Reduce(r.Message)
		out = append(out, r)
	}
	for _, listener := range p.osmListeners(listeners) {
		takeover.Reduce(listener)
		out = append(out, Resource{TypeURL: ListenerType, Name: listener.GetName(), Message: listener})
	}
	return out
}

// osmLoggers write what Open Service Mesh writes. That Envoy has no counters with labels, no expressions in logs, and none of the newer command operators.
var osmLoggers = newOSMLoggers()

func newOSMLoggers() *loggers {
	line := telemetry.Loggers(nil, nil, accessLogFormat)
	requests := telemetry.Loggers(nil, noHealthCheck, accessLogFormat)
	return &loggers{
		outboundRequests: line, sharedRequests: line, inboundRequests: requests, authorizedRequests: requests,
		outboundConnections: line, inboundConnections: line,
	}
}
