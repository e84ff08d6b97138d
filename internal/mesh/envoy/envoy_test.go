package envoy_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestEnvoyAcceptsGoldens validates every golden output, with endpoints and secrets, with the real Envoy.
func TestEnvoyAcceptsGoldens(t *testing.T) {
	sets := map[string][]envoy.Resource{}
	ca := pki.New(t)
	for name, s := range scopes(t) {
		sets[name] = complete(t, ca, s)
	}
	envoytest.Validate(t, sets)
}

// complete returns all resources of a sidecar with this scope.
func complete(t *testing.T, ca *pki.Authority, s *scope.Scope) []envoy.Resource {
	t.Helper()
	chain, key := ca.Issue(t, s.Key.Identity, s.TrustDomain)
	issueGatewayCertificates(s, ca.RootPEM, chain, key)
	issueEgressCredentials(s, ca.RootPEM, chain, key)
	for i := range s.EgressAuthorities {
		s.EgressAuthorities[i].PEM = ca.RootPEM
	}
	for i := range s.Peers {
		if len(s.Peers[i].RootsPEM) > 0 {
			s.Peers[i].RootsPEM = ca.RootPEM
		}
	}
	for _, servers := range []map[string]*authz.BackendTLS{s.ServerTLS, s.HostTLS} {
		for _, tls := range servers {
			tls.AuthoritiesPEM = ca.RootPEM
		}
	}
	return slices.Concat(
		envoy.Build(s),
		envoy.TrustSecrets(s, ca.RootPEM),
		[]envoy.Resource{envoy.ServiceCertSecret(envoy.ServiceCertName, chain, key)},
		endpoints(s),
		envoy.OutsideSecrets(s),
	)
}

// issueGatewayCertificates sets the certificates, and the authorities of clients, that listeners of an ingress gateway name.
func issueGatewayCertificates(s *scope.Scope, authorities, chain, key []byte) {
	if s.IngressGateway == nil {
		return
	}
	s.IngressGateway.Certificates, s.IngressGateway.Authorities = nil, nil
	for _, l := range s.IngressGateway.Listeners {
		for _, name := range l.Certificates {
			s.IngressGateway.Certificates = append(s.IngressGateway.Certificates, scope.GatewayCertificate{Name: name, ChainPEM: chain, KeyPEM: key})
		}
		if l.Clients != nil {
			s.IngressGateway.Authorities = append(s.IngressGateway.Authorities, scope.GatewayAuthorities{Name: l.Clients.Authorities, PEM: authorities})
		}
	}
}

// issueEgressCredentials sets the credentials that destinations of an egress gateway name.
func issueEgressCredentials(s *scope.Scope, authorities, chain, key []byte) {
	if s.EgressGateway == nil {
		return
	}
	s.EgressGateway.Credentials = nil
	for _, d := range s.EgressGateway.Destinations {
		if d.Credential != "" {
			s.EgressGateway.Credentials = append(s.EgressGateway.Credentials, scope.EgressCredential{Name: d.Credential, AuthoritiesPEM: authorities, ChainPEM: chain, KeyPEM: key})
		}
	}
}

func endpoints(s *scope.Scope) []envoy.Resource {
	var out []envoy.Resource
	for _, c := range s.Clusters {
		out = append(out, envoy.Endpoints(c.Name(), scope.Endpoints{
			Key:       c.Endpoints,
			Addresses: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), c.TargetPort)},
		}))
	}
	return out
}
