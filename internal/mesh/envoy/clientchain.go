package envoy

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	commonstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Envoy ends the connections of a filter chain together. A TCP port therefore has a chain for each client account. The chain is removed with the account's last
// permission, and so are its connections; those of other accounts are in other chains.
//
// The client's sidecar names its account in the handshake, as the application protocol that it prefers. That selects the chain and proves nothing: the chain
// admits certificates of its account only.

// clientNameFilter is the name of the filter with which a sidecar names its account.
const clientNameFilter = "client-account"

// clientALPN is the protocol that the sidecars of an account prefer.
func clientALPN(namespace, name string) string { return meshALPN + "/" + namespace + "/" + name }

// nameClient makes the connections of a TCP proxy name the account of the pod. It is the same for all clients, which share listeners, so the account comes from
// the environment of Envoy. A name that is too long for a chain is cut off to one that no chain has.
var nameClient = message.NetworkFilter(clientNameFilter, &setstatev3.Config{OnNewConnection: []*commonstatev3.FilterStateValue{{
	Key: &commonstatev3.FilterStateValue_ObjectKey{ObjectKey: "envoy.network.application_protocols"},
	Value: &commonstatev3.FilterStateValue_FormatString{FormatString: message.Text(
		fmt.Sprintf("%[1]s/%%ENVIRONMENT(POD_NAMESPACE)%%/%%ENVIRONMENT(SERVICE_ACCOUNT):%[2]d%%,%[1]s", meshALPN, scope.MaxClientName+1),
	)},
}}})

// namingClient are the filters of a destination that forward connections, and name the account where servers have chains for them.
func namingClient(o scope.Outbound, proxy *listenerv3.Filter) []*listenerv3.Filter {
	if !o.NamesClient {
		return []*listenerv3.Filter{proxy}
	}
	return []*listenerv3.Filter{nameClient, proxy}
}

// clientChains are the chains of a TCP port for single accounts. Each has the filters of the common chain, which all other clients use.
func clientChains(s *translation, in inboundPort) []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	for _, client := range in.ClientChains() {
		chain := inboundChain(s, in, clientChainTLS(s, client))
		chain.Name = clientChainName(in, client)
		chain.FilterChainMatch.ApplicationProtocols = []string{clientALPN(client.Namespace, client.Name)}
		chains = append(chains, chain)
	}
	return chains
}

const clientChainPrefix = "inbound_of_"

// clientChainName ends like that of the common chain, because logs distinguish chains by the protocol at the end.
func clientChainName(in inboundPort, client identity.ServiceAccount) string {
	return fmt.Sprintf(clientChainPrefix+"%s_%s_%d_%s", client, in.Service, in.TargetPort, in.Protocol)
}

// clientChainTLS admits one account. Its names are part of the chain and not of a secret, so connections end if the account loses one of them, as
// after a change of the trust domain.
func clientChainTLS(s *translation, client identity.ServiceAccount) *corev3.TransportSocket {
	common := commonTLS(s, InboundTrustName(s.Key.Identity))
	admitOnly(common, allowedPrincipals([]identity.ServiceAccount{client}, s.AcceptedClientDomains()))
	return serverSocket(common)
}
