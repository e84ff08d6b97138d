package envoy

import (
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// peerTrustName is the name of the secret with the roots of a peer. It has no names: they are in the chains and clusters, so new roots end no connection.
func peerTrustName(peer string) string { return "root-cert-of-peer:" + peer }

// peerTrust are the validation contexts of peers, each with the roots of one.
func peerTrust(s *scope.Scope) []*tlsv3.Secret {
	var secrets []*tlsv3.Secret
	for _, peer := range s.Peers {
		if len(peer.RootsPEM) > 0 {
			secrets = append(secrets, trustSecret(peerTrustName(peer.Name), peer.RootsPEM, nil))
		}
	}
	return secrets
}

// suffix matches text that ends with a DNS name, in whatever case.
func suffix(text string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: text}, IgnoreCase: true}
}

// prefix matches text that begins with the authority of a URI, in whatever case.
func prefix(text string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: text}, IgnoreCase: true}
}
