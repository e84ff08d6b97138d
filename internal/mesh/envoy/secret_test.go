package envoy_test

import (
	"net/netip"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestTrustSecrets checks which names a workload accepts from clients. Without names Envoy would accept any.
func TestTrustSecrets(t *testing.T) {
	account := func(name string) identity.ServiceAccount {
		return identity.ServiceAccount{Namespace: "shop", Name: name}
	}
	service := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	tcp := func(port uint16, rules authz.Rules) scope.Inbound {
		return scope.Inbound{Service: service("cart"), Port: port, TargetPort: port, Protocol: inventory.ProtocolTCP, Rules: rules}
	}
	s := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: account("cart")}, TrustDomain: "cluster.local"},
		Sidecar: scope.Sidecar{
			Inbound: []scope.Inbound{
				{Service: service("cart"), Port: 80, TargetPort: 80, Protocol: inventory.ProtocolHTTP},
				tcp(1, authz.Rules{}),
				tcp(2, authz.Rules{Permissive: true}),
				tcp(3, authz.Rules{Network: []authz.NetworkRule{
					{Policy: "shop/a", Sources: []identity.ServiceAccount{account("z"), account("y")}},
					{Policy: "shop/b", Sources: []identity.ServiceAccount{account("y")}},
				}}),
			},
		},
	}
	got := map[string][]string{}
	for _, r := range envoy.TrustSecrets(s, []byte("root")) {
		context := r.Message.(*tlsv3.Secret).GetValidationContext()
		if string(context.GetTrustedCa().GetInlineBytes()) != "root" {
			t.Errorf("%s does not trust the root", r.Name)
		}
		got[r.Name] = nil
		for _, san := range context.GetMatchTypedSubjectAltNames() {
			if san.GetSanType() != tlsv3.SubjectAltNameMatcher_DNS {
				t.Errorf("%s matches %v", r.Name, san)
			}
			got[r.Name] = append(got[r.Name], san.GetMatcher().GetExact())
		}
	}
	want := map[string][]string{
		"root-cert-for-mtls-inbound:shop/cart":             nil,
		"root-cert-for-mtls-inbound:shop/cart|shop/cart|1": {"nobody.invalid"},
		"root-cert-for-mtls-inbound:shop/cart|shop/cart|3": {"y.shop.cluster.local", "z.shop.cluster.local"},
		"root-cert-for-mtls-outbound":                      nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names in trust secrets (-want +got):\n%s", diff)
	}
}

// TestServerNames checks which names a client accepts from servers. Without names Envoy would accept any.
func TestServerNames(t *testing.T) {
	account := func(name string) identity.ServiceAccount {
		return identity.ServiceAccount{Namespace: "shop", Name: name}
	}
	service := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	s := &scope.Scope{
		Common: scope.Common{
			TrustDomain: "cluster.local",
			Clusters: []scope.Cluster{
				{Service: service("books"), TargetPort: 80, Identities: []identity.ServiceAccount{account("b")}},
				{Service: service("books"), TargetPort: 81, Identities: []identity.ServiceAccount{account("a"), account("b")}},
				{Service: service("empty"), TargetPort: 80},
			},
		},
		Sidecar: scope.Sidecar{
			Outbound: []scope.Outbound{{
				Service: service("books"), Port: 80, PodPort: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
				Backends: []scope.Backend{{Cluster: "shop/books|80", Weight: 1}},
			}},
		},
	}
	got := map[string][]string{}
	for _, r := range envoy.Build(s) {
		c, ok := r.Message.(*clusterv3.Cluster)
		if !ok {
			continue
		}
		context := &tlsv3.UpstreamTlsContext{}
		if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
			t.Fatal(err)
		}
		combined := context.GetCommonTlsContext().GetCombinedValidationContext()
		if name := combined.GetValidationContextSdsSecretConfig().GetName(); name != envoy.OutboundTrustName {
			t.Errorf("%s trusts the roots in %q", r.Name, name)
		}
		for _, san := range combined.GetDefaultValidationContext().GetMatchTypedSubjectAltNames() {
			got[r.Name] = append(got[r.Name], san.GetMatcher().GetExact())
		}
	}
	want := map[string][]string{
		"shop/books|80":      {"b.shop.cluster.local"},
		"shop/books|80|pods": {"a.shop.cluster.local", "b.shop.cluster.local"},
		"shop/books|81":      {"a.shop.cluster.local", "b.shop.cluster.local"},
		"shop/empty|80":      {"nobody.invalid"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of servers (-want +got):\n%s", diff)
	}
}

func TestServiceCertSecret(t *testing.T) {
	r := envoy.ServiceCertSecret(envoy.ServiceCertName, []byte("chain"), []byte("key"))
	cert := r.Message.(*tlsv3.Secret).GetTlsCertificate()
	if r.Name != "service-cert" || r.TypeURL != envoy.SecretType ||
		string(cert.GetCertificateChain().GetInlineBytes()) != "chain" || string(cert.GetPrivateKey().GetInlineBytes()) != "key" {
		t.Errorf("got %v", r)
	}
}

func TestEndpoints(t *testing.T) {
	none := envoy.Endpoints("shop/books|80", scope.Endpoints{})
	if got := none.Message.(*endpointv3.ClusterLoadAssignment); got.GetClusterName() != "shop/books|80" || len(got.GetEndpoints()) != 0 {
		t.Errorf("no addresses = %v, want an assignment without localities", got)
	}
	two := envoy.Endpoints("shop/books|80", scope.Endpoints{Addresses: []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[fd00::1]:80"),
	}, Workloads: []inventory.Workload{{Kind: "Deployment", Name: "books"}, {}}})
	var got, workloads []string
	for _, e := range two.Message.(*endpointv3.ClusterLoadAssignment).GetEndpoints()[0].GetLbEndpoints() {
		got = append(got, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		fields := e.GetMetadata().GetFilterMetadata()["osm"].GetFields()
		workloads = append(workloads, fields["kind"].GetStringValue()+"/"+fields["name"].GetStringValue())
	}
	if diff := cmp.Diff([]string{"Deployment/books", "/"}, workloads); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "fd00::1"}, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}
