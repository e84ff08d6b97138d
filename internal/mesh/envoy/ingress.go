package envoy

import (
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// addIngressChains accepts connections from outside the mesh. Network RBAC closes connections of other clients, and HTTP RBAC rejects
// the requests of a client that lost its permission.
func addIngressChains(listener *listenerv3.Listener, s *translation, inbound []inboundPort) {
	for _, in := range s.Ingress {
		if !in.TLS && s.AcceptAnyClient {
			continue // the chains for plaintext accept these clients, and Envoy could not distinguish the chains
		}
		for i, match := range ingressMatches(in, inbound) {
			chain := &listenerv3.FilterChain{
				Name: ingressChainName(in), FilterChainMatch: match,
				Filters: []*listenerv3.Filter{discoveredFilter(ingressRBACName(in), networkRBACType), ingressHTTP(s, in)},
			}
			if in.TLS {
				chain.TransportSocket, chain.TransportSocketConnectTimeout = ingressTLS(s, in), handshakeTimeout
			}
			if i > 0 {
				chain.Name += "_any"
			}
			listener.FilterChains = append(listener.FilterChains, chain)
		}
	}
}

// ingressMatches returns the matches of the chains of a port. Envoy selects by server name first and does not backtrack. The names of
// the Services therefore need a match of their own, in addition to the one for any name: the chains of the mesh match these names too.
func ingressMatches(in scope.Ingress, inbound []inboundPort) []*listenerv3.FilterChainMatch {
	match := func(transport string, hosts []string) *listenerv3.FilterChainMatch {
		return &listenerv3.FilterChainMatch{
			DestinationPort: wrapperspb.UInt32(uint32(in.TargetPort)), TransportProtocol: transport, ServerNames: hosts,
		}
	}
	switch {
	case !in.TLS:
		return []*listenerv3.FilterChainMatch{match("raw_buffer", nil)}
	case len(in.ServerNames) > 0:
		return []*listenerv3.FilterChainMatch{match("tls", in.ServerNames)}
	}
	var hosts []string
	for _, port := range inbound {
		if port.TargetPort == in.TargetPort {
			hosts = append(hosts, names.ServiceHost(port.Service.Name, port.Service.Namespace))
		}
	}
	return []*listenerv3.FilterChainMatch{match("tls", lists.Unique(hosts)), match("tls", nil)}
}

// ingressTLS presents the certificate of the workload.
func ingressTLS(s *translation, in scope.Ingress) *corev3.TransportSocket {
	common := commonTLS(s, InboundTrustName(s.Key.Identity))
	common.AlpnProtocols = []string{"h2", "http/1.1"}
	if !in.VerifiesClients() {
		common.ValidationContextType = nil
	}
	return tlsSocket(&tlsv3.DownstreamTlsContext{
		RequireClientCertificate: wrapperspb.Bool(in.VerifiesClients()),
		CommonTlsContext:         common,
	})
}

// ingressHTTP is inboundHTTP without health checks and limits of the mesh's clients, as in OSM. Its clients can be anybody, so it has the limits of
// gateways.
func ingressHTTP(s *translation, in scope.Ingress) *listenerv3.Filter {
	hcm := serverConnectionManager(s, ingressRouteName(in), in.Service)
	limitClients(hcm, ingressIdleTimeout, ingressIdleTimeout)
	hcm.HttpFilters = slices.Concat([]*hcmv3.HttpFilter{requestRBACFilter}, removeSpellings(s), externalAuthorization(s), []*hcmv3.HttpFilter{router})
	decodeSlashes(hcm, in.DecodeSlashes)
	return message.NetworkFilter(hcmFilter, hcm)
}

// ingressRouteConfigs are the route configurations of the ports that are open to clients outside the mesh.
func ingressRouteConfigs(s *translation) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, in := range s.Ingress {
		host := virtualHost("ingress", in.Service, in.TargetPort)
		host.TypedPerFilterConfig = map[string]*anypb.Any{
			httpRBACFilter: message.Any(&httprbacv3.RBACPerRoute{Rbac: &httprbacv3.RBAC{Rules: ingressRules(s, in)}}),
		}
		skipUnusedAuthorization(s, host)
		local := []weightedCluster{{cluster: localClusterName(in.Service, in.TargetPort), weight: 1}}
		var routes []*routev3.Route
		for _, match := range ingressRequests(in) {
			routes = append(routes, &routev3.Route{Match: match, Action: forward(local, 0, nil)})
		}
		out = append(out, serverRoutes(s, ingressRouteName(in), host, routes, in.DecodeSlashes))
	}
	return out
}

func ingressRequests(in scope.Ingress) []*routev3.RouteMatch {
	if in.AnyRequest {
		return []*routev3.RouteMatch{anyRequest()}
	}
	var out []*routev3.RouteMatch
	for _, match := range in.Matches {
		out = append(out, decodedMatch(match, in.DecodeSlashes))
	}
	return out
}

// ingressFilters are the network filters of the ports that are open to clients outside the mesh.
func ingressFilters(s *translation) []Resource {
	configs := lists.Map(s.Ingress, func(in scope.Ingress) *corev3.TypedExtensionConfig {
		return message.Extension(ingressRBACName(in), &netrbacv3.RBAC{StatPrefix: "ingress-", Rules: ingressRules(s, in)})
	})
	return newResources(ExtensionType, (*corev3.TypedExtensionConfig).GetName, configs)
}

// ingressRules admit the clients of an IngressBackend: by the address of the connection, which no header changes, and by the name in a
// verified certificate.
func ingressRules(s *translation, in scope.Ingress) *rbacv3.RBAC {
	var required []*rbacv3.Principal
	if !in.AnyAddress {
		required = append(required, anyOf(addressPrincipals(in)))
	}
	if in.VerifiesClients() {
		required = append(required, anyOf(certificatePrincipals(s, in)))
	}
	if len(required) == 0 || slices.Contains(required, nil) {
		return allowRules(nil)
	}
	who := required[0]
	if len(required) > 1 {
		who = allOf(required...)
	}
	return allowRules(map[string]*rbacv3.Policy{in.Policy.String(): newPolicy(who)})
}

func addressPrincipals(in scope.Ingress) []*rbacv3.Principal {
	return lists.Map(in.Prefixes, func(prefix netip.Prefix) *rbacv3.Principal {
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: cidrRange(prefix)}}
	})
}

func certificatePrincipals(s *translation, in scope.Ingress) []*rbacv3.Principal {
	return lists.Map(lists.FlatMap(in.Principals, s.AcceptedPrincipals), authenticatedAs)
}

// anyOf matches if one of the principals does; nil without any.
func anyOf(list []*rbacv3.Principal) *rbacv3.Principal {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: list}}}
}

func ingressChainName(in scope.Ingress) string {
	protocol := "http"
	if in.TLS {
		protocol = "https"
	}
	return fmt.Sprintf("ingress_%s_%d_%s", in.Service, in.TargetPort, protocol)
}

func ingressRouteName(in scope.Ingress) string {
	return fmt.Sprintf("rds-ingress.%d|%s", in.TargetPort, in.Service)
}

func ingressRBACName(in scope.Ingress) string {
	return networkRBACFilter + "|" + ingressChainName(in)
}
