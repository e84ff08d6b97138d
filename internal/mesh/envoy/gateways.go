package envoy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayListeners are the listeners of the ingress gateway, one for each port.
func gatewayListeners(s *translation) []*listenerv3.Listener {
	if s.IngressGateway == nil {
		return nil
	}
	var out []*listenerv3.Listener
	for i := range s.IngressGateway.Listeners {
		l := &s.IngressGateway.Listeners[i]
		if len(out) == 0 || l.Port != s.IngressGateway.Listeners[i-1].Port {
			listener := newBoundListener(names.GatewayListener(l.Port), l.Bind, s.Key.Class, corev3.TrafficDirection_INBOUND)
			detectDeadClients(listener)
			listener.PerConnectionBufferLimitBytes = wrapperspb.UInt32(gatewayBufferBytes)
			if len(l.Certificates) > 0 {
				listener.ListenerFilters = []*listenerv3.ListenerFilter{listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{})}
			}
			out = append(out, listener)
		}
		listener := out[len(out)-1]
		if l.Protocol != "" {
			addGatewayConnections(listener, s, l)
		} else if len(l.Certificates) > 0 {
			listener.FilterChains = append(listener.FilterChains, gatewayTLSChain(s, l))
		} else if len(listener.FilterChains) == 0 {
			// Listeners of one port without TLS share a route configuration: only the host of a request distinguishes them.
			listener.FilterChains = []*listenerv3.FilterChain{{
				Name:    names.GatewayListener(l.Port),
				Filters: []*listenerv3.Filter{gatewayHTTP(s, gatewayRouteName(l))},
			}}
		}
	}
	for _, listener := range out {
		if len(listener.FilterChains) == 0 {
			listener.FilterChains = noFilterChains()
		}
	}
	return out
}

// gatewayTLSChain terminates TLS for the clients that request a name.
func gatewayTLSChain(s *translation, l *scope.GatewayListener) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{
		Name:                          gatewayRouteName(l),
		TransportSocket:               gatewayTLS(l),
		TransportSocketConnectTimeout: handshakeTimeout,
		Filters:                       []*listenerv3.Filter{gatewayHTTP(s, gatewayRouteName(l))},
	}
	if l.Hostname != "" {
		chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: []string{l.Hostname}}
	}
	return chain
}

func gatewayTLS(l *scope.GatewayListener) *corev3.TransportSocket {
	common := &tlsv3.CommonTlsContext{
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		AlpnProtocols: []string{"h2", "http/1.1"},
	}
	common.TlsCertificateSdsSecretConfigs = lists.Map(lists.Map(l.Certificates, gatewaySecretName), secretByName)
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	if l.Clients != nil {
		verifyClients(context, l.Clients)
	}
	return tlsSocket(context)
}

// gatewayHTTP handles requests of clients outside the mesh. Nothing that they claim about themselves is trusted: the address of the
// connection is the last entry of x-forwarded-for, and x-forwarded-proto is that of the connection.
func gatewayHTTP(s *translation, routeConfig string) *listenerv3.Filter {
	hcm := serverConnectionManager(s, routeConfig, entity.Name{})
	hcm.AccessLog = s.logs().sharedRequests
	hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED // routes reject them, or Services decode them
	hcm.UseRemoteAddress = wrapperspb.Bool(true)
	limitClients(hcm, gatewayIdleTimeout, gatewayStreamIdleTimeout)
	// Gateways have the filter for sessions always: an HTTPRoute that begins to need it must not replace the listener of others.
	hcm.HttpFilters = slices.Concat([]*hcmv3.HttpFilter{keepSessions}, removeSpellings(s), []*hcmv3.HttpFilter{repeatSafe, router})
	return message.NetworkFilter(hcmFilter, hcm)
}

// OutsideSecrets are the certificates of the ingress gateway and the authorities of its clients, the credentials of the egress gateway, or the authorities of
// servers outside the mesh of a sidecar.
func OutsideSecrets(s *scope.Scope) []Resource {
	if s.IngressGateway == nil {
		return append(egressCredentialSecrets(s), egressAuthoritySecrets(s)...)
	}
	var out []Resource
	for _, c := range s.IngressGateway.Certificates {
		out = append(out, ServiceCertSecret(gatewaySecretName(c.Name), c.ChainPEM, c.KeyPEM))
	}
	for _, a := range s.IngressGateway.Authorities {
		out = append(out, newSecret(trustSecret(gatewayAuthoritiesName(a.Name), a.PEM, nil)))
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

// egressGatewayListeners are the listeners of the egress gateway: one, which has a filter chain for each destination. The server name that a
// sidecar requests selects the chain, and the handshake admits the clients of its policy only.
func egressGatewayListeners(s *translation) []*listenerv3.Listener {
	if len(s.GatewayDestinations()) == 0 {
		return nil
	}
	out := newBoundListener(names.EgressGatewayListener, names.EgressGatewayPort, s.Key.Class, corev3.TrafficDirection_INBOUND)
	detectDeadClients(out)
	out.ListenerFilters = []*listenerv3.ListenerFilter{listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{})}
	out.AccessLog = s.logs().inboundListener
	out.PerConnectionBufferLimitBytes = wrapperspb.UInt32(gatewayBufferBytes)
	destinations := s.GatewayDestinations()
	for i := range destinations {
		d := &destinations[i]
		out.FilterChains = append(out.FilterChains, &listenerv3.FilterChain{
			Name: gatewayClusterName(d.GatewayDestination),
			FilterChainMatch: &listenerv3.FilterChainMatch{
				ServerNames: []string{gatewayServerName(d.GatewayDestination)}, TransportProtocol: "tls", ApplicationProtocols: []string{meshALPN},
			},
			TransportSocket:               serverTLS(s, egressTrustName(s.Scope, d)),
			TransportSocketConnectTimeout: handshakeTimeout,
			Filters:                       []*listenerv3.Filter{egressGatewayProxy(s, d)},
		})
	}
	return []*listenerv3.Listener{out}
}

// egressGatewayProxy forwards connections or requests of verified clients.
func egressGatewayProxy(s *translation, d *scope.EgressDestination) *listenerv3.Filter {
	cluster := gatewayClusterName(d.GatewayDestination)
	if d.Protocol == catalog.ProtocolHTTPS {
		return tcpToApplication(s.logs().inboundConnections, cluster, cluster, tcpIdleTimeout(d.Upstream),
			tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE)
	}
	hcm := connectionManager(s, egressGatewayRouteName(d))
	hcm.AccessLog = s.logs().inboundRequests
	limitClients(hcm, egressGatewayIdleTimeout, egressGatewayIdleTimeout)
	hcm.HttpFilters = slices.Concat([]*hcmv3.HttpFilter{requestRBACFilter}, removeSpellings(s), []*hcmv3.HttpFilter{router})
	return message.NetworkFilter(hcmFilter, hcm)
}

// egressGatewayRouteConfigs are the route configurations of the egress gateway, one for each destination. The Host header must be that of the
// destination, and never selects it. RBAC rejects requests on open connections of a client that lost its permission.
func egressGatewayRouteConfigs(s *translation) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	destinations := s.GatewayDestinations()
	for i := range destinations {
		d := &destinations[i]
		if d.Protocol != inventory.ProtocolHTTP {
			continue
		}
		host := outsideHost(s, d.Host, d.Port, d.Restricted, d.Matches, egressGatewayRoute(d))
		if host.TypedPerFilterConfig == nil {
			host.TypedPerFilterConfig = map[string]*anypb.Any{}
		}
		host.TypedPerFilterConfig[httpRBACFilter] = requestRBAC([]authz.Route{{Sources: d.Sources}}, ownAccounts(s), false)
		out = append(out, &routev3.RouteConfiguration{
			Name: egressGatewayRouteName(d), VirtualHosts: []*routev3.VirtualHost{host}, ValidateClusters: wrapperspb.Bool(false),
		})
	}
	return out
}

// egressGatewayRoute forwards a request. Encrypted, it names the host without the port that the client used.
func egressGatewayRoute(d *scope.EgressDestination) *routev3.Route {
	if d.TLS != nil && d.Credential == "" {
		return &routev3.Route{Action: directResponse(503, "the Secret of the Egress cannot be used: see its status\n")}
	}
	action := forward([]weightedCluster{{cluster: gatewayClusterName(d.GatewayDestination), weight: 1}}, requestTimeout(d.Upstream), outsideRetryPolicy())
	if d.TLS != nil {
		action.Route.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: tlsAuthority(d)}
	}
	return &routev3.Route{Action: action}
}

// egressGatewayTrust are the validation contexts of the destinations of the egress gateway: each admits the clients of its policy.
func egressGatewayTrust(s *scope.Scope, rootPEM []byte) []*tlsv3.Secret {
	var out []*tlsv3.Secret
	destinations := s.GatewayDestinations()
	for i := range destinations {
		d := &destinations[i]
		out = append(out, trustSecret(egressTrustName(s, d), rootPEM, allowedPrincipals(d.Sources, s.AcceptedClientDomains())))
	}
	return out
}

func egressTrustName(s *scope.Scope, d *scope.EgressDestination) string {
	return InboundTrustName(s.Key.Identity) + "|" + d.ID()
}

// egressGatewayRouteName begins like those of the ingress gateway: a gateway waits for the requests of these before it stops.
func egressGatewayRouteName(d *scope.EgressDestination) string { return "rds-gateway.egress." + d.ID() }

// toGatewayCluster is a destination that the egress gateway forwards to. Without a gateway it has no endpoints, and requests get status 503.
func toGatewayCluster(s *translation, d authz.GatewayDestination) *clusterv3.Cluster {
	out := newCluster(gatewayClusterName(d), clusterv3.Cluster_STATIC)
	out.AltStatName = strings.ReplaceAll(out.Name, ":", "_")
	out.Metadata = metadata(map[string]string{serviceField: d.Host})
	gateway := s.EgressGatewayService
	if gateway == nil {
		return out
	}
	detectDeadPeers(out)
	out.LoadAssignment = loadAssignment(out.Name, gatewayAddresses(gateway.Addresses, s.Key.Class)...)
	server := []identity.ServiceAccount{{Namespace: gateway.Namespace, Name: names.EgressGateway}}
	out.TransportSocket = clientTLSTo(s, gatewayServerName(d), server)
	if d.Protocol == inventory.ProtocolHTTP {
		out.TypedExtensionProtocolOptions = sidecarHTTP(inventory.ProtocolHTTP, "", nil)
	}
	return out
}

// gatewayAddresses are the addresses that a pod can reach.
func gatewayAddresses(addresses []netip.Addr, class scope.Class) []netip.AddrPort {
	var out []netip.AddrPort
	for _, address := range addresses {
		if class.IPv6 || !address.Is6() {
			out = append(out, netip.AddrPortFrom(address, names.EgressGatewayPort))
		}
	}
	// Of two address families, one is enough.
	return out[:min(len(out), 1)]
}

// gatewayServerName is the server name by which a sidecar requests a destination of the egress gateway.
func gatewayServerName(d authz.GatewayDestination) string { return d.ID() + ".egress" }

// gatewayClusterName is the cluster of a destination of the egress gateway, in the gateway and in sidecars. The gateway waits for the
// connections of clusters with egress-tls before it stops.
func gatewayClusterName(d authz.GatewayDestination) string {
	kind := "egress-http"
	if d.Protocol == catalog.ProtocolHTTPS {
		kind = "egress-tls"
	}
	return fmt.Sprintf("%s.%s.%s:%d", kind, d.ID(), d.Host, d.Port)
}
