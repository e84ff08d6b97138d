package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// demanding returns a listener that demands certificates of clients.
func demanding(name string, clients catalog.ClientValidation) catalog.GatewayListener {
	l := https(name, "", entity.Name{Namespace: shop, Name: "tls"})
	l.Clients = &clients
	return l
}

func authorities(namespace, name string, size int, problem string) *catalog.GatewayAuthorities {
	return &catalog.GatewayAuthorities{Name: entity.Name{Namespace: namespace, Name: name}, PEM: []byte(strings.Repeat(name[:1], size)), Problem: problem}
}

// TestClientCertificates checks which listeners with a demand for certificates of clients are served, and with which authorities.
func TestClientCertificates(t *testing.T) {
	grant := &catalog.ReferenceGrant{
		Name: entity.Name{Namespace: other, Name: "g"},
		From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "Gateway", Namespace: shop}}, To: []catalog.GrantedObject{{Kind: "ConfigMap"}},
	}
	ofSecrets := &catalog.ReferenceGrant{Name: grant.Name, From: grant.From, To: []catalog.GrantedObject{{Kind: "Secret"}}}
	in := func(names ...string) (list []entity.Name) {
		for _, name := range names {
			namespace, name, _ := strings.Cut(name, "/")
			list = append(list, entity.Name{Namespace: namespace, Name: name})
		}
		return list
	}
	entries := []catalog.Entry{
		authorities(shop, "a", 1, ""), authorities(shop, "b", 1, ""), authorities(other, "o", 1, ""), authorities(shop, "missing", 0, "The ConfigMap shop/missing does not exist."),
		authorities(shop, "large", catalog.MaxAuthoritiesBytes, ""),
	}
	for name, test := range map[string]struct {
		clients catalog.ClientValidation
		more    []catalog.Entry
		// want are the reasons of Accepted and ResolvedRefs, whether clients can connect, and the authorities.
		want string
	}{
		"one":                       {clients: catalog.ClientValidation{Authorities: in("shop/a")}, want: "Accepted ResolvedRefs true a"},
		"two":                       {clients: catalog.ClientValidation{Authorities: in("shop/a", "shop/b")}, want: "Accepted ResolvedRefs true ab"},
		"a missing one":             {clients: catalog.ClientValidation{Authorities: in("shop/missing")}, want: "NoValidCACertificate InvalidCACertificateRef false "},
		"a missing one, fallback":   {clients: catalog.ClientValidation{Authorities: in("shop/missing"), AllowInvalid: true}, want: "NoValidCACertificate InvalidCACertificateRef false "},
		"one of two":                {clients: catalog.ClientValidation{Authorities: in("shop/missing", "shop/a")}, want: "Accepted InvalidCACertificateRef true a"},
		"none":                      {clients: catalog.ClientValidation{}, want: "NoValidCACertificate InvalidCACertificateRef false "},
		"another kind":              {clients: catalog.ClientValidation{OtherAuthorities: "Service s"}, want: "NoValidCACertificate InvalidCACertificateKind false "},
		"another kind too":          {clients: catalog.ClientValidation{OtherAuthorities: "Service s", Authorities: in("shop/a")}, want: "Accepted InvalidCACertificateKind true a"},
		"of others":                 {clients: catalog.ClientValidation{Authorities: in("other/o")}, want: "NoValidCACertificate RefNotPermitted false "},
		"a grant for Secrets":       {clients: catalog.ClientValidation{Authorities: in("other/o")}, more: []catalog.Entry{ofSecrets}, want: "NoValidCACertificate RefNotPermitted false "},
		"a grant":                   {clients: catalog.ClientValidation{Authorities: in("other/o")}, more: []catalog.Entry{grant}, want: "Accepted ResolvedRefs true o"},
		"one that is not read":      {clients: catalog.ClientValidation{Authorities: in("shop/unread")}, want: "Accepted InvalidCACertificateRef false "},
		"one of two is not read":    {clients: catalog.ClientValidation{Authorities: in("shop/a", "shop/unread")}, want: "Accepted InvalidCACertificateRef false "},
		"more than a listener uses": {clients: catalog.ClientValidation{Authorities: in("shop/a", "shop/large")}, want: "Accepted TooManyAuthorities true a"},
	} {
		t.Run(name, func(t *testing.T) {
			result := gateway.Resolve(mesh(slices.Concat(entries, test.more, []catalog.Entry{gatewayOf("web", demanding("x", test.clients))})...))
			l := result.Gateways[0].Listeners[0]
			text := ""
			for _, served := range result.Listeners {
				text = string(served.Clients.AuthoritiesPEM)
			}
			if got := fmt.Sprintf("%s %s %t %s", l.Accepted.Reason, l.ResolvedRefs.Reason, l.Served, text); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			if l.Served != (len(result.Listeners) == 1) || l.Accepted.OK == (l.Accepted.Message != "") || l.ResolvedRefs.OK == (l.ResolvedRefs.Message != "") {
				t.Errorf("served %d listeners, with %+v", len(result.Listeners), l)
			}
			if l.Claim == "" {
				t.Error("the listener has no claim, so another Gateway takes its host")
			}
			if insecure := len(result.Gateways[0].Insecure) > 0; insecure != test.clients.AllowInvalid {
				t.Errorf("insecure %t", insecure)
			}
		})
	}
}

// TestMissingAuthoritiesTakeNoHostAway checks that the listener of another namespace does not get a host while a ConfigMap is missing.
func TestMissingAuthoritiesTakeNoHostAway(t *testing.T) {
	victim := claimed(demanding("a", catalog.ClientValidation{Authorities: []entity.Name{{Namespace: shop, Name: "missing"}}}), 5)
	result := gateway.Resolve(mesh(authorities(shop, "missing", 0, "It does not exist."), gatewayOf("web", victim),
		neighbour("other", https("b", "", entity.Name{Namespace: other, Name: "tls"}))))
	if len(result.Listeners) > 0 || result.Gateways[0].Accepted.OK || result.Gateways[1].Accepted.OK {
		t.Errorf("%d listeners are served: %+v", len(result.Listeners), result.Gateways)
	}
}

// TestAuthoritiesAreBounded checks that the control plane reads a bounded number of ConfigMaps for a namespace, and that a listener beyond them is not served.
func TestAuthoritiesAreBounded(t *testing.T) {
	var listeners []catalog.GatewayListener
	var entries []catalog.Entry
	for i := range gateway.MaxAuthorities + 1 {
		l := demanding(fmt.Sprint("l", i), catalog.ClientValidation{Authorities: []entity.Name{{Namespace: shop, Name: fmt.Sprint("c", i)}}})
		l.Hostname = fmt.Sprintf("h%d.example", i)
		listeners = append(listeners, l)
		entries = append(entries, authorities(shop, fmt.Sprint("c", i), 1, ""))
	}
	v := mesh(append(entries, gatewayOf("web", listeners...))...)
	if got := len(gateway.Authorities(v)); got != gateway.MaxAuthorities {
		t.Errorf("%d ConfigMaps are read", got)
	}
	last := gateway.Resolve(v).Gateways[0].Listeners[gateway.MaxAuthorities]
	if last.Served || last.ResolvedRefs.Reason != string(gateway.ReasonTooManyAuthorities) {
		t.Errorf("the last listener has %+v", last)
	}
}
