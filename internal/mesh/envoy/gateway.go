package envoy

import (
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Limits of clients outside the mesh, as Envoy's documentation recommends for edge proxies.
const (
	gatewayHeadersTimeout = 10 * time.Second
	// gatewayIdleTimeout ends a request without data in both directions.
	gatewayIdleTimeout           = 5 * time.Minute
	gatewayBufferBytes           = 32 << 10
	gatewayMaxStreams            = 100
	gatewayWindowBytes           = 64 << 10
	gatewayConnectionWindowBytes = 1 << 20
)

// gatewayListeners are the listeners of the ingress gateway, one for each port.
func gatewayListeners(s *scope.Scope) []*listenerv3.Listener {
	if s.Gateway == nil {
		return nil
	}
	var out []*listenerv3.Listener
	for i := range s.Gateway.Listeners {
		l := &s.Gateway.Listeners[i]
		if len(out) == 0 || l.Port != s.Gateway.Listeners[i-1].Port {
			listener := newBoundListener(fmt.Sprintf("gateway_%d", l.Port), l.Bind, s.Key.Class, corev3.TrafficDirection_INBOUND)
			listener.PerConnectionBufferLimitBytes = wrapperspb.UInt32(gatewayBufferBytes)
			if len(l.Certificates) > 0 {
				listener.ListenerFilters = []*listenerv3.ListenerFilter{listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{})}
			}
			out = append(out, listener)
		}
		listener := out[len(out)-1]
		if len(l.Certificates) > 0 {
			listener.FilterChains = append(listener.FilterChains, gatewayTLSChain(s, l))
		} else if len(listener.FilterChains) == 0 {
			// Listeners of one port without TLS share a route configuration: only the host of a request distinguishes them.
			listener.FilterChains = []*listenerv3.FilterChain{{Name: fmt.Sprintf("gateway_%d", l.Port), Filters: []*listenerv3.Filter{gatewayHTTP(s, gatewayRouteName(l))}}}
		}
	}
	return out
}

// gatewayTLSChain terminates TLS for the clients that request a name.
func gatewayTLSChain(s *scope.Scope, l *scope.GatewayListener) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{
		Name:            gatewayRouteName(l),
		TransportSocket: gatewayTLS(l.Certificates),
		Filters:         []*listenerv3.Filter{gatewayHTTP(s, gatewayRouteName(l))},
	}
	if l.Hostname != "" {
		chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: []string{l.Hostname}}
	}
	return chain
}

func gatewayTLS(certificates []string) *corev3.TransportSocket {
	common := &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		// Requests are forwarded with the protocol of the client, and many servers have HTTP/1.1 only.
		AlpnProtocols: []string{"http/1.1"},
	}
	for _, name := range certificates {
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, &tlsv3.SdsSecretConfig{Name: gatewaySecretName(name), SdsConfig: ads})
	}
	return tlsSocket(&tlsv3.DownstreamTlsContext{CommonTlsContext: common})
}

// gatewayHTTP handles requests of clients outside the mesh. Nothing that they claim about themselves is trusted: the address of the
// connection is the last entry of x-forwarded-for, and x-forwarded-proto is that of the connection.
func gatewayHTTP(s *scope.Scope, routeConfig string) *listenerv3.Filter {
	hcm := serverConnectionManager(s, routeConfig)
	hcm.AccessLog = loggersOf(s).outboundRequests
	hcm.UseRemoteAddress = wrapperspb.Bool(true)
	hcm.RequestHeadersTimeout = durationpb.New(gatewayHeadersTimeout)
	hcm.StreamIdleTimeout = durationpb.New(gatewayIdleTimeout)
	hcm.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{
		MaxConcurrentStreams:        wrapperspb.UInt32(gatewayMaxStreams),
		InitialStreamWindowSize:     wrapperspb.UInt32(gatewayWindowBytes),
		InitialConnectionWindowSize: wrapperspb.UInt32(gatewayConnectionWindowBytes),
	}
	hcm.HttpFilters = []*hcmv3.HttpFilter{router}
	return message.NetworkFilter(hcmFilter, hcm)
}

// GatewaySecrets are the certificates of the ingress gateway, or the credentials of the egress gateway. No other scope has any.
func GatewaySecrets(s *scope.Scope) []Resource {
	if s.Gateway == nil {
		return egressCredentialSecrets(s)
	}
	var out []Resource
	for _, c := range s.Gateway.Certificates {
		out = append(out, ServiceCertSecret(gatewaySecretName(c.Name), c.ChainPEM, c.KeyPEM))
	}
	return out
}

func gatewaySecretName(certificate string) string { return "gateway-certificate:" + certificate }

// gatewayRouteName is the route configuration of a listener. Listeners of one port without TLS share one.
func gatewayRouteName(l *scope.GatewayListener) string {
	if len(l.Certificates) == 0 {
		return fmt.Sprintf("rds-gateway.%d", l.Port)
	}
	return fmt.Sprintf("rds-gateway.%d|%s", l.Port, l.Hostname)
}
