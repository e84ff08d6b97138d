package envoy_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestEnvoyAcceptsCertificatesOfUsers validates what gateways get of Secrets. A pod of a gateway does not become ready while it rejects one of them.
func TestEnvoyAcceptsCertificatesOfUsers(t *testing.T) {
	pairs := pki.Unusual(t)
	for name, key := range pki.Keys(t) {
		pairs[name] = pki.SelfSigned(t, key)
	}
	ca := pki.New(t)
	sets := map[string][]envoy.Resource{}
	for kind, pair := range pairs {
		data := map[string][]byte{corev1.TLSCertKey: pair.Chain, corev1.TLSPrivateKeyKey: pair.Key, "ca.crt": pair.Chain}
		name := entity.Name{Namespace: "shop", Name: "tls"}
		if c := ingest.GatewayCertificate(name, data, time.Now()); c.Problem == "" {
			sets[kind+" of a listener"] = withSecrets(t, ca, listenerWith(c))
		}
		if c := ingest.EgressCredential(name, data); c.Problem == "" {
			sets[kind+" of an Egress"] = withSecrets(t, ca, destinationWith(c))
		}
	}
	if len(sets) < 10 {
		t.Errorf("only %d Secrets are used", len(sets))
	}
	envoytest.Validate(t, sets)
}

// withSecrets returns all resources of a gateway.
func withSecrets(t *testing.T, ca *pki.Authority, s *scope.Scope) []envoy.Resource {
	t.Helper()
	chain, key := ca.Issue(t, s.Key.Identity, s.TrustDomain)
	return slices.Concat(envoy.Build(s), envoy.TrustSecrets(s, ca.RootPEM), envoy.OutsideSecrets(s),
		[]envoy.Resource{envoy.ServiceCertSecret(envoy.ServiceCertName, chain, key)})
}

// listenerWith returns the scope of an ingress gateway with a certificate.
func listenerWith(c *catalog.GatewayCertificate) *scope.Scope {
	name := c.Name.String()
	return &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}},
			TrustDomain: "cluster.local",
		},
		IngressGateway: &scope.IngressGateway{
			Listeners:    []scope.GatewayListener{{Name: "shop/web/https", Port: 443, Bind: 10443, Certificates: []string{name}}},
			Certificates: []scope.GatewayCertificate{{Name: name, ChainPEM: c.ChainPEM, KeyPEM: c.KeyPEM}},
		},
	}
}

// destinationWith returns the scope of an egress gateway with a credential.
func destinationWith(c *catalog.EgressCredential) *scope.Scope {
	s := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway},
			TrustDomain: "cluster.local",
		},
		EgressGateway: &scope.EgressGateway{Credentials: []scope.EgressCredential{
			{Name: c.Name.String(), AuthoritiesPEM: c.AuthoritiesPEM, ChainPEM: c.ChainPEM, KeyPEM: c.KeyPEM},
		}},
	}
	d := scope.EgressDestination{Credential: c.Name.String(), HasClientCertificate: true}
	d.Policy, d.Host, d.Port, d.Protocol, d.TLS = c.Name, "api.example.com", 80, inventory.ProtocolHTTP, &catalog.EgressTLS{Port: 443}
	s.EgressGateway.Destinations = append(s.EgressGateway.Destinations, d)
	return s
}
