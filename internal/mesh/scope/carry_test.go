package scope

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestHasUnreadSecrets checks for what gateways wait. What does not exist was read.
func TestHasUnreadSecrets(t *testing.T) {
	listener := catalog.GatewayListener{
		Name: "a", Port: 443, Protocol: "HTTPS", Terminate: true, From: "Same", Certificates: []entity.Name{meshtest.Name("shop", "tls")},
		Clients: &catalog.ClientValidation{Authorities: []entity.Name{meshtest.Name("shop", "ca")}},
	}
	mesh := []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", EgressPolicies: true}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
		&catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{listener}},
		&catalog.Egress{Name: meshtest.Name("shop", "plain"), Gateway: &catalog.EgressGateway{}},
		&catalog.Egress{Name: meshtest.Name("shop", "tls"), Gateway: &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: "tls"}}},
	}
	certificate, authorities := &catalog.GatewayCertificate{Name: meshtest.Name("shop", "tls"), Problem: "It does not exist."}, &catalog.GatewayAuthorities{Name: meshtest.Name("shop", "ca"), Problem: "It does not exist."}
	credential := &catalog.EgressCredential{Name: meshtest.Name("shop", "tls"), Problem: "It does not exist."}
	for name, test := range map[string]struct {
		read            []catalog.Entry
		ingress, egress bool
	}{
		"nothing was read":    {nil, true, true},
		"without a Secret":    {[]catalog.Entry{authorities, credential}, true, false},
		"without authorities": {[]catalog.Entry{certificate}, true, true},
		"all that it needs":   {[]catalog.Entry{certificate, authorities}, false, true},
		"everything was read": {[]catalog.Entry{certificate, authorities, credential}, false, false},
	} {
		v := meshtest.Apply(append(mesh, test.read...)...).View()
		if got := HasUnreadSecrets(v, ProxyIngressGateway); got != test.ingress {
			t.Errorf("%s: the ingress gateway waits is %t", name, got)
		}
		if got := HasUnreadSecrets(v, ProxyEgressGateway); got != test.egress {
			t.Errorf("%s: the egress gateway waits is %t", name, got)
		}
		if HasUnreadSecrets(v, ProxySidecar) {
			t.Errorf("%s: a sidecar waits", name)
		}
	}
}

// TestCarryCertificates checks which listeners keep what they had until their Secrets are read, in the order of listeners.
func TestCarryCertificates(t *testing.T) {
	clients := &GatewayClients{Authorities: "shop/web|443"}
	served := func(change ...func(*GatewayListener)) GatewayListener {
		l := GatewayListener{Name: "shop/web/a", Port: 443, Hostname: "b.test", Certificates: []string{"shop/old"}, Clients: clients}
		for _, c := range change {
			c(&l)
		}
		return l
	}
	without := func(l *GatewayListener) { l.Certificates = nil }
	free := func(l *GatewayListener) { l.Clients = nil }
	own := func(l *GatewayListener) { l.Certificates = []string{"shop/mine"} }
	for name, test := range map[string]struct {
		was, next GatewayListener
		want      string
	}{
		"the certificates":           {served(), served(without, free), "[a.test:443 [shop/new] b.test:443 [shop/old] c.test:443 [shop/new]] [shop/new shop/old] []"},
		"no demand for clients":      {served(free), served(without, free), "[a.test:443 [shop/new] b.test:443 [shop/old] c.test:443 [shop/new]] [shop/new shop/old] []"},
		"the authorities too":        {served(), served(without), "[a.test:443 [shop/new] b.test:443 [shop/old] c.test:443 [shop/new]] [shop/new shop/old] [shop/web|443]"},
		"authorities alone":          {served(), served(own), "[a.test:443 [shop/new] b.test:443 [shop/mine] c.test:443 [shop/new]] [shop/new shop/mine] [shop/web|443]"},
		"a new demand for clients":   {served(free), served(without), "[a.test:443 [shop/new] c.test:443 [shop/new]] [shop/new] []"},
		"no certificate before":      {served(without), served(without), "[a.test:443 [shop/new] c.test:443 [shop/new]] [shop/new] []"},
		"a listener of another name": {served(), served(without, func(l *GatewayListener) { l.Name = "shop/web/b" }), "[a.test:443 [shop/new] c.test:443 [shop/new]] [shop/new] []"},
		"a listener of another port": {served(), served(without, func(l *GatewayListener) { l.Port = 444 }), "[a.test:443 [shop/new] c.test:443 [shop/new]] [shop/new] []"},
		"a listener of another host": {served(), served(without, func(l *GatewayListener) { l.Hostname = "d.test" }), "[a.test:443 [shop/new] c.test:443 [shop/new]] [shop/new] []"},
	} {
		other := func(host string) GatewayListener {
			return GatewayListener{Name: host, Port: 443, Hostname: host, Certificates: []string{"shop/new"}}
		}
		resolved := &gateway.Listener{Clients: &gateway.Clients{Unread: true}}
		for range test.next.Certificates {
			resolved.Certificates = append(resolved.Certificates, &catalog.GatewayCertificate{Name: meshtest.Name("shop", "mine")})
		}
		earlier := &Scope{IngressGateway: &IngressGateway{
			Listeners: []GatewayListener{test.was}, Certificates: []GatewayCertificate{{Name: "shop/other"}, {Name: "shop/old"}, {Name: "shop/new"}},
			Authorities: []GatewayAuthorities{{Name: "shop/other|443"}, {Name: "shop/web|443"}},
		}}
		next := &Scope{IngressGateway: &IngressGateway{
			Listeners:    []GatewayListener{other("a.test"), other("c.test")},
			Certificates: []GatewayCertificate{{Name: "shop/new"}}, unread: []unreadListener{{test.next, resolved}},
		}}
		CarryCertificates(earlier, next)
		if diff := cmp.Diff(test.want, contents(next.IngressGateway)); diff != "" || next.IngressGateway.unread != nil {
			t.Errorf("%s: %d are unread (-want +got):\n%s", name, len(next.IngressGateway.unread), diff)
		}
	}
}

// contents lists the listeners with their certificates, the certificates, and the authorities of a gateway.
func contents(g *IngressGateway) string {
	var listeners, certificates, authorities []string
	for _, l := range g.Listeners {
		listeners = append(listeners, fmt.Sprintf("%s:%d %s", l.Hostname, l.Port, l.Certificates))
	}
	for _, c := range g.Certificates {
		certificates = append(certificates, c.Name)
	}
	for _, a := range g.Authorities {
		authorities = append(authorities, a.Name)
	}
	return fmt.Sprint(listeners, certificates, authorities)
}

// TestBuiltGatewayCarriesItsCertificate names a Secret that was not read yet in a listener.
func TestBuiltGatewayCarriesItsCertificate(t *testing.T) {
	build := func(secret string) *Scope {
		return Build(meshtest.Apply(
			&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.GatewayClass{Name: "osm"},
			&inventory.Service{Name: meshtest.Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 443, TargetPort: 10443}}},
			&catalog.Gateway{Name: meshtest.Name("shop", "web"), Class: "osm", Listeners: []catalog.GatewayListener{
				{Name: "a", Port: 443, Protocol: "HTTPS", Terminate: true, From: "Same", Certificates: []entity.Name{meshtest.Name("shop", secret)}},
			}}, &catalog.GatewayCertificate{Name: meshtest.Name("shop", "old"), ChainPEM: []byte("chain"), KeyPEM: []byte("key")},
		).View(), "cluster.local", Key{Identity: meshtest.SA("osm-system", names.IngressGateway), Proxy: ProxyIngressGateway})
	}
	next := build("new")
	CarryCertificates(build("old"), next)
	if got, want := contents(next.IngressGateway), "[:443 [shop/old]] [shop/old] []"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A gateway without an earlier version, and a sidecar, carry nothing.
func TestCarryNothing(t *testing.T) {
	for name, earlier := range map[string]*Scope{"no earlier version": nil, "a sidecar": {}} {
		next := &Scope{IngressGateway: &IngressGateway{unread: make([]unreadListener, 1)}}
		if CarryCertificates(earlier, next); len(next.IngressGateway.Listeners) > 0 || next.IngressGateway.unread != nil {
			t.Errorf("%s: %+v", name, next.IngressGateway)
		}
	}
	next := &Scope{}
	if CarryCertificates(&Scope{IngressGateway: &IngressGateway{}}, next); next.IngressGateway != nil {
		t.Errorf("a sidecar carries %+v", next.IngressGateway)
	}
}

// TestContentsOfAGateway checks that certificates and authorities are added once, also to what a gateway has.
func TestContentsOfAGateway(t *testing.T) {
	g := &IngressGateway{Certificates: []GatewayCertificate{{Name: "shop/old"}}, Authorities: []GatewayAuthorities{{Name: "shop/web|444"}}}
	for range 2 {
		c := newGatewayContents(g)
		for _, certificate := range []string{"old", "new"} {
			for _, port := range []uint16{443, 444} {
				c.add(&gateway.Listener{
					Gateway: meshtest.Name("shop", "web"), Port: port, Clients: &gateway.Clients{}, Certificates: []*catalog.GatewayCertificate{{Name: meshtest.Name("shop", certificate)}},
				})
			}
		}
		c.add(&gateway.Listener{Gateway: meshtest.Name("shop", "web"), Port: 445, Clients: &gateway.Clients{Unread: true}})
		c.add(&gateway.Listener{Gateway: meshtest.Name("shop", "web"), Port: 446})
	}
	if got, want := contents(g), "[] [shop/old shop/new] [shop/web|444 shop/web|443]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
