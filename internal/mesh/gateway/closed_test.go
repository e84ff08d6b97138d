package gateway_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// answerer returns the namespace of the listener whose routes serve a host, and whether clients need certificates. The namespace is empty if nobody serves it.
func answerer(result gateway.Result, host string) (namespace string, demands bool) {
	var owner *gateway.Listener
	for _, domain := range gateway.DomainsOf(host) {
		for i, l := range result.Listeners {
			if owner == nil && cmp.Or(l.Hostname, "*") == domain {
				owner = &result.Listeners[i]
			}
		}
	}
	if owner == nil {
		return "", false
	}
	for _, domain := range gateway.DomainsOf(host) {
		i := slices.IndexFunc(owner.Hosts, func(h gateway.Host) bool { return h.Domain == domain })
		switch {
		case i >= 0 && len(owner.Hosts[i].Rules) > 0:
			return owner.Gateway.Namespace, owner.Clients != nil
		case i >= 0 || slices.Contains(owner.Misdirected, domain):
			return "", false
		}
	}
	return "", false
}

// faults are what can be wrong with the Secret of a listener: it was not read yet, or has no certificate.
const (
	unread  = "unread"
	invalid = "invalid"
)

// secretOf is the Secret of a namespace that mesh has, or one with a fault.
func secretOf(namespace, fault string) entity.Name {
	if fault == unread || fault == invalid {
		return entity.Name{Namespace: namespace, Name: fault}
	}
	return entity.Name{Namespace: namespace, Name: "tls"}
}

// invalidSecret is a Secret without a certificate.
var invalidSecret = &catalog.GatewayCertificate{Name: secretOf(shop, invalid), Problem: "The Secret has no certificate."}

// TestClosedListeners checks who serves pay.example.com while the listener that has it, of the namespace shop, lacks what it needs.
func TestClosedListeners(t *testing.T) {
	demand := &catalog.ClientValidation{Authorities: []entity.Name{{Namespace: shop, Name: "missing"}}}
	missing := authorities(shop, "missing", 0, "The ConfigMap shop/missing does not exist.")
	for name, test := range map[string]struct {
		secret  string
		demands bool
		wide    string
		want    string
	}{
		"a ConfigMap, and another namespace is wider":          {demands: true, wide: other},
		"a ConfigMap, and its own namespace is wider":          {demands: true, wide: shop},
		"a certificate, and another namespace is wider":        {secret: invalid, wide: other},
		"a certificate, and its own namespace is wider":        {secret: invalid, wide: shop, want: shop},
		"a Secret, and another namespace is wider":             {secret: unread, wide: other},
		"a Secret, and its own namespace is wider":             {secret: unread, wide: shop, want: shop},
		"a Secret and a ConfigMap, its own namespace is wider": {secret: unread, demands: true, wide: shop},
		"a certificate and a ConfigMap, its own one is wider":  {secret: invalid, demands: true, wide: shop},
		"a certificate and a ConfigMap, another one is wider":  {secret: invalid, demands: true, wide: other},
	} {
		own := claimed(https("own", "pay.example.com", secretOf(shop, test.secret)), 5)
		if test.demands {
			own.Clients = demand
		}
		wide := claimed(https("wide", "*.example.com", secretOf(test.wide, "")), 9)
		wide.From = "All"
		public := gatewayOf("public", wide)
		public.Name.Namespace = test.wide
		served := route(test.wide, "r", []string{"pay.example.com", "free.example.com"}, rule("/", to(test.wide)))
		served.Parents = []catalog.RouteParent{{Gateway: public.Name}}
		result := gateway.Resolve(mesh(missing, invalidSecret, gatewayOf("web", own), public, served))
		if got, _ := answerer(result, "pay.example.com"); got != test.want {
			t.Errorf("%s: the namespace %q serves pay.example.com, want %q", name, got, test.want)
		}
		if got, _ := answerer(result, "free.example.com"); got != test.wide {
			t.Errorf("%s: the namespace %q serves free.example.com", name, got)
		}
		if text := result.Routes[0].Parents[0].Accepted.Message; (text == "") != (test.want != "") {
			t.Errorf("%s: the route has the message %q", name, text)
		}
	}
}

// TestFailuresGiveNoHosts checks that no namespace serves more hosts because a Secret or a ConfigMap of another one fails, and that nobody is served without
// the certificate that a listener demands.
func TestFailuresGiveNoHosts(t *testing.T) {
	hostnames := []string{"", "*.example.com", "*.a.example.com", "b.a.example.com", "a.example.com", "*.test"}
	hosts := []string{"b.a.example.com", "c.a.example.com", "a.example.com", "d.example.com", "e.test", "f"}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.Permutation(hostnames).Draw(t, "hostnames")
		owners := rapid.SliceOfN(rapid.SampledFrom([]string{shop, other, ""}), len(drawn), len(drawn)).Draw(t, "owners")
		demands := rapid.SliceOfN(rapid.Bool(), len(drawn), len(drawn)).Draw(t, "demands")
		fails := rapid.SliceOfN(rapid.SampledFrom([]string{"", unread, invalid, "ConfigMap"}), len(drawn), len(drawn)).Draw(t, "fails")
		build := func(failing bool) gateway.Result {
			gateways := map[string]*catalog.Gateway{shop: gatewayOf("web"), other: neighbour("public")}
			entries := []catalog.Entry{invalidSecret}
			for i, hostname := range drawn {
				if owners[i] == "" {
					continue
				}
				fault := ""
				if failing && owners[i] == shop {
					fault = fails[i]
				}
				l := claimed(https(fmt.Sprint("l", i), hostname, secretOf(owners[i], fault)), int64(i+1))
				if demands[i] {
					name := entity.Name{Namespace: owners[i], Name: fmt.Sprint("c", i)}
					l.Clients = &catalog.ClientValidation{Authorities: []entity.Name{name}}
					size, problem := 1, ""
					if fault == "ConfigMap" {
						size, problem = 0, "It does not exist."
					}
					entries = append(entries, authorities(name.Namespace, name.Name, size, problem))
				}
				gateways[owners[i]].Listeners = append(gateways[owners[i]].Listeners, l)
			}
			for namespace, g := range maps.All(gateways) {
				r := route(namespace, "r-"+namespace, nil, rule("/", to(namespace)))
				r.Parents = []catalog.RouteParent{{Gateway: g.Name}}
				entries = append(entries, g, r)
			}
			return gateway.Resolve(mesh(entries...))
		}
		before, after := build(false), build(true)
		for _, host := range hosts {
			had, demanded := answerer(before, host)
			has, demands := answerer(after, host)
			if has == other && had != other {
				t.Errorf("%s is served by %q before, and by %q when objects of %q fail", host, had, has, shop)
			}
			if has != "" && demanded && !demands {
				t.Errorf("%s is served without the certificate that was demanded", host)
			}
		}
	})
}
