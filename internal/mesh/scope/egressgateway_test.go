package scope_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var outgoing = identity.ServiceAccount{Namespace: "shop", Name: "till"}

// egressGatewayMesh has an Egress through the gateway, which encrypts requests.
func egressGatewayMesh(entries ...catalog.Entry) *catalog.Catalog {
	c := catalog.New()
	for _, entry := range append([]catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", EgressPolicies: true},
		&catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.Egress{
			Name: entity.Name{Namespace: "shop", Name: "api"}, Sources: []identity.ServiceAccount{outgoing}, Hosts: []string{"api.example.com"},
			Ports:   []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
			Gateway: &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: "outside"}},
		},
	}, entries...) {
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return c
}

func credential(problem string) *catalog.EgressCredential {
	return &catalog.EgressCredential{Name: entity.Name{Namespace: "shop", Name: "outside"}, AuthoritiesPEM: []byte("roots"), KeyPEM: []byte("key"), ChainPEM: []byte("chain"), Problem: problem}
}

// TestOnlyTheEgressGatewayHasCredentials checks who gets the content of a Secret, and that an unusable one omits its destination only.
func TestOnlyTheEgressGatewayHasCredentials(t *testing.T) {
	build := func(c *catalog.Catalog, account identity.ServiceAccount, proxy scope.Proxy) *scope.Scope {
		return scope.Build(c.View(), "cluster.local", scope.Key{Identity: account, Proxy: proxy})
	}
	gateway := identity.ServiceAccount{Namespace: "osm-system", Name: names.EgressGateway}
	usable := egressGatewayMesh(credential(""))
	for _, s := range []*scope.Scope{build(usable, outgoing, scope.ProxySidecar), build(usable, gateway, scope.ProxySidecar), build(usable, gateway, scope.ProxyIngressGateway)} {
		if s.EgressGateway != nil {
			t.Errorf("%s has the configuration of the egress gateway", s.Key.Identity)
		}
	}
	got := build(usable, gateway, scope.ProxyEgressGateway).EgressGateway
	if len(got.Credentials) != 1 || string(got.Credentials[0].KeyPEM) != "key" || got.Destinations[0].Credential != "shop/outside" || !got.Destinations[0].HasClientCertificate {
		t.Errorf("the gateway has %+v, want the credential of its destination", got)
	}
	for name, c := range map[string]*catalog.Catalog{"unread": egressGatewayMesh(), "unusable": egressGatewayMesh(credential("It is damaged."))} {
		if got := build(c, gateway, scope.ProxyEgressGateway).EgressGateway; len(got.Credentials) > 0 || len(got.Destinations) != 1 || got.Destinations[0].Credential != "" {
			t.Errorf("%s: the gateway has %+v, want a destination without a credential", name, got)
		}
	}
}

// TestEgressGatewayAddresses checks that a sidecar gets the addresses of the Service of the mesh, and learns of its changes.
func TestEgressGatewayAddresses(t *testing.T) {
	service := &inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.EgressGateway}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.7")}}
	unrelated := &inventory.Service{Name: entity.Name{Namespace: "shop", Name: names.EgressGateway}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.8")}}
	c := egressGatewayMesh(unrelated)
	view := c.View()
	s := scope.Build(view, "cluster.local", scope.Key{Identity: outgoing})
	if s.EgressGatewayService == nil || s.EgressGatewayService.Namespace != "osm-system" || len(s.EgressGatewayService.Addresses) > 0 {
		t.Fatalf("without the Service of the gateway, the sidecar has %+v", s.EgressGatewayService)
	}
	affected := c.Apply([]catalog.Change{catalog.Set(service)})
	if !slices.ContainsFunc(affected, func(dep entity.Dep) bool { return slices.Contains(view.Deps(), dep) }) {
		t.Error("the new Service does not affect the sidecar")
	}
	if s = scope.Build(c.View(), "cluster.local", scope.Key{Identity: outgoing}); !slices.Equal(s.EgressGatewayService.Addresses, service.ClusterIPs) {
		t.Errorf("addresses %v, want those of the Service", s.EgressGatewayService.Addresses)
	}
	if s = scope.Build(c.View(), "cluster.local", scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: "other"}}); s.EgressGatewayService != nil {
		t.Error("a client without an Egress has the addresses of the gateway")
	}
}

// TestChangesAffectTheEgressGateway checks that each input of the gateway rebuilds its configuration.
func TestChangesAffectTheEgressGateway(t *testing.T) {
	c := egressGatewayMesh(credential(""))
	key := scope.Key{Identity: identity.ServiceAccount{Namespace: "osm-system", Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway}
	changed := &catalog.Egress{Name: entity.Name{Namespace: "shop", Name: "api"}, Sources: []identity.ServiceAccount{outgoing}}
	for name, change := range map[string]catalog.Change{
		"Secret":    catalog.Set(credential("It is damaged.")),
		"Egress":    catalog.Set(changed),
		"namespace": catalog.Set(&catalog.Namespace{Name: "shop"}),
		"settings":  catalog.Set(&catalog.Settings{Namespace: "osm-system"}),
	} {
		t.Run(name, func(t *testing.T) {
			c := egressGatewayMesh(credential(""))
			view := c.View()
			scope.Build(view, "cluster.local", key)
			if !slices.ContainsFunc(c.Apply([]catalog.Change{change}), func(dep entity.Dep) bool { return slices.Contains(view.Deps(), dep) }) {
				t.Error("the change does not affect the gateway")
			}
		})
	}
	for name, test := range map[string]struct {
		pod  inventory.Instance
		want bool
	}{
		"the gateway":       {inventory.Instance{Name: entity.Name{Namespace: "osm-system", Name: "g"}, ServiceAccount: names.EgressGateway, Labels: map[string]string{names.AppLabel: names.EgressGateway}, Injected: true}, true},
		"another namespace": {inventory.Instance{Name: entity.Name{Namespace: "shop", Name: "g"}, ServiceAccount: names.EgressGateway, Labels: map[string]string{names.AppLabel: names.EgressGateway}, Injected: true}, false},
		"the other gateway": {inventory.Instance{Name: entity.Name{Namespace: "osm-system", Name: "g"}, ServiceAccount: names.IngressGateway, Labels: map[string]string{names.AppLabel: names.IngressGateway}, Injected: true}, false},
	} {
		if got := scope.KeyFor(c.View(), &test.pod).Proxy == scope.ProxyEgressGateway; got != test.want {
			t.Errorf("%s: egress gateway %t, want %t", name, got, test.want)
		}
	}
}

// TestRequiredEgressGatewayRebuildsSidecars checks that the annotation of a namespace rebuilds its sidecars and the gateway, and no other sidecar.
func TestRequiredEgressGatewayRebuildsSidecars(t *testing.T) {
	c := egressGatewayMesh()
	other := identity.ServiceAccount{Namespace: "bank", Name: "till"}
	for _, entry := range []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", Egress: true, EgressPolicies: true}, &catalog.Namespace{Name: "bank", Monitored: true},
		&catalog.Egress{
			Name: entity.Name{Namespace: "shop", Name: "direct"}, Sources: []identity.ServiceAccount{outgoing}, Hosts: []string{"www.example.com"},
			Ports: []catalog.EgressPort{{Number: 8080, Protocol: inventory.ProtocolHTTP}},
		},
	} {
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
	keys := map[string]scope.Key{
		"client": {Identity: outgoing}, "other": {Identity: other},
		"gateway": {Identity: identity.ServiceAccount{Namespace: "osm-system", Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway},
	}
	deps := map[string][]entity.Dep{}
	for name, key := range keys {
		view := c.View()
		scope.Build(view, "cluster.local", key)
		deps[name] = view.Deps()
	}
	affected := c.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "shop", Monitored: true, EgressGateway: true})})
	for name, key := range keys {
		rebuilt := slices.ContainsFunc(affected, func(dep entity.Dep) bool { return slices.Contains(deps[name], dep) })
		if want := name != "other"; !rebuilt && want {
			t.Errorf("the annotation does not affect the %s", name)
		}
		s := scope.Build(c.View(), "cluster.local", key)
		switch name {
		case "client":
			if s.Egress || s.EgressPorts[1].Hosts[0].HTTPGateway.Name != "direct" {
				t.Errorf("passthrough %t and ports %+v, want the gateway only", s.Egress, s.EgressPorts)
			}
		case "other":
			if !s.Egress {
				t.Error("a client of another namespace lost its egress")
			}
		case "gateway":
			if len(s.EgressGateway.Destinations) != 2 {
				t.Errorf("destinations %+v, want those of both Egresses", s.EgressGateway.Destinations)
			}
		}
	}
}

// TestEgressDestinationsShareCredential checks that destinations with one Secret share its content, and that a Secret may have authorities only.
func TestEgressDestinationsShareCredential(t *testing.T) {
	authorities := credential("")
	authorities.Name.Name, authorities.ChainPEM, authorities.KeyPEM = "authorities", nil, nil
	egress := func(name, secret string, hosts ...string) *catalog.Egress {
		return &catalog.Egress{
			Name: entity.Name{Namespace: "shop", Name: name}, Sources: []identity.ServiceAccount{outgoing}, Hosts: hosts,
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}, Gateway: &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: secret}},
		}
	}
	c := egressGatewayMesh(credential(""), authorities, egress("api", "outside", "api.example.com", "www.example.com"), egress("bank", "authorities", "bank.example.com"), egress("plain", "outside", "mail.example.com"))
	got := scope.Build(c.View(), "cluster.local", scope.Key{Identity: identity.ServiceAccount{Namespace: "osm-system", Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway}).EgressGateway
	var destinations, credentials []string
	for _, d := range got.Destinations {
		destinations = append(destinations, fmt.Sprintf("%s %s %t", d.Host, d.Credential, d.HasClientCertificate))
	}
	for _, c := range got.Credentials {
		credentials = append(credentials, c.Name)
	}
	if want := []string{"api.example.com shop/outside true", "www.example.com shop/outside true", "bank.example.com shop/authorities false", "mail.example.com shop/outside true"}; !slices.Equal(destinations, want) {
		t.Errorf("the destinations are %q, want %q", destinations, want)
	}
	if want := []string{"shop/outside", "shop/authorities"}; !slices.Equal(credentials, want) {
		t.Errorf("the credentials are %q, want %q", credentials, want)
	}
}

// TestClientsOfTheEgressGateway checks that a sidecar gets the Service of the gateway exactly if it sends something there.
func TestClientsOfTheEgressGateway(t *testing.T) {
	for name, test := range map[string]struct {
		protocol inventory.Protocol
		gateway  *catalog.EgressGateway
		want     bool
	}{
		"requests through the gateway":    {inventory.ProtocolHTTP, &catalog.EgressGateway{}, true},
		"connections through the gateway": {catalog.ProtocolHTTPS, &catalog.EgressGateway{}, true},
		"requests without it":             {inventory.ProtocolHTTP, nil, false},
		"connections without it":          {catalog.ProtocolHTTPS, nil, false},
	} {
		c := egressGatewayMesh(&catalog.Egress{
			Name: entity.Name{Namespace: "shop", Name: "api"}, Sources: []identity.ServiceAccount{outgoing}, Hosts: []string{"api.example.com"},
			Ports: []catalog.EgressPort{{Number: 443, Protocol: test.protocol}}, Gateway: test.gateway,
		})
		s := scope.Build(c.View(), "cluster.local", scope.Key{Identity: outgoing})
		if got := s.EgressGatewayService != nil; got != test.want || len(s.EgressPorts) != 1 {
			t.Errorf("%s: the sidecar of %d ports has the Service of the gateway: %t, want one port and %t", name, len(s.EgressPorts), got, test.want)
		}
	}
}
