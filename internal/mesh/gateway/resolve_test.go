package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	system = "osm-system"
	shop   = "shop"
	other  = "other"
)

// mesh has two namespaces, a Service in each, and an ingress gateway with the ports 80 and 443.
func mesh(entries ...catalog.Entry) *catalog.View {
	c := catalog.New()
	all := append([]catalog.Entry{
		&catalog.Settings{Namespace: system},
		&catalog.Namespace{Name: shop, Monitored: true},
		&catalog.Namespace{Name: other, Monitored: true},
		&catalog.NamespaceLabels{Namespace: other, Labels: map[string]string{"public": "yes"}},
		&catalog.GatewayClass{Name: "osm"},
		service(system, names.IngressGateway, inventory.Port{Number: 80, TargetPort: 10080}, inventory.Port{Number: 443, TargetPort: 10443}),
		service(shop, "books", inventory.Port{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}),
		service(other, "books", inventory.Port{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}),
		&catalog.GatewayCertificate{Name: entity.Name{Namespace: shop, Name: "tls"}, ChainPEM: []byte("chain"), KeyPEM: []byte("key")},
		&catalog.GatewayCertificate{Name: entity.Name{Namespace: other, Name: "tls"}, ChainPEM: []byte("chain"), KeyPEM: []byte("key")},
	}, entries...)
	for _, e := range all {
		c.Apply([]catalog.Change{catalog.Set(e)})
	}
	return c.View()
}

func service(namespace, name string, ports ...inventory.Port) *inventory.Service {
	return &inventory.Service{Name: entity.Name{Namespace: namespace, Name: name}, Ports: ports}
}

func gatewayOf(name string, listeners ...catalog.GatewayListener) *catalog.Gateway {
	return &catalog.Gateway{Name: entity.Name{Namespace: shop, Name: name}, Class: "osm", Listeners: listeners}
}

func http(name, hostname string) catalog.GatewayListener {
	return catalog.GatewayListener{Name: name, Port: 80, Protocol: "HTTP", Hostname: hostname, Terminate: true, From: "Same"}
}

func https(name, hostname string, certificates ...entity.Name) catalog.GatewayListener {
	return catalog.GatewayListener{Name: name, Port: 443, Protocol: "HTTPS", Hostname: hostname, Terminate: true, From: "Same", Certificates: certificates}
}

func route(namespace, name string, hostnames []string, rules ...catalog.HTTPRouteRule) *catalog.HTTPRoute {
	return &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute,
		Name: entity.Name{Namespace: namespace, Name: name}, Hostnames: hostnames, Rules: rules,
		Parents: []catalog.RouteParent{{Gateway: entity.Name{Namespace: shop, Name: "web"}}},
	}
}

func rule(path string, backends ...catalog.RouteBackend) catalog.HTTPRouteRule {
	return catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: path}}, Backends: backends}
}

func to(namespace string) catalog.RouteBackend {
	return catalog.RouteBackend{Service: entity.Name{Namespace: namespace, Name: "books"}, Port: 80, Weight: 1}
}

// TestListeners checks which listeners are accepted and served, and their status.
func TestListeners(t *testing.T) {
	tls := entity.Name{Namespace: shop, Name: "tls"}
	remote := entity.Name{Namespace: other, Name: "tls"}
	grant := &catalog.ReferenceGrant{
		Name: entity.Name{Namespace: other, Name: "g"},
		From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "Gateway", Namespace: shop}}, To: []catalog.GrantedObject{{Kind: "Secret"}},
	}
	onPort := func(l catalog.GatewayListener, port uint16) catalog.GatewayListener { l.Port = port; return l }
	passthrough := https("a", "", tls)
	passthrough.Terminate = false
	another := https("a", "", tls)
	another.OtherCertificate = "ConfigMap tls"
	broken := entity.Name{Namespace: shop, Name: "broken"}
	damaged := &catalog.GatewayCertificate{Name: broken, Problem: "The Secret shop/broken lacks tls.crt."}
	expiring := entity.Name{Namespace: shop, Name: "expiring"}
	warned := &catalog.GatewayCertificate{Name: expiring, ChainPEM: []byte("chain"), KeyPEM: []byte("key"), Warning: "The certificate has expired."}
	for name, test := range map[string]struct {
		listeners []catalog.GatewayListener
		more      []catalog.Entry
		// want are the reasons of Accepted and ResolvedRefs, and whether clients can connect, of each listener.
		want string
	}{
		"HTTP":                      {listeners: []catalog.GatewayListener{http("a", "")}, want: "Accepted ResolvedRefs true"},
		"HTTPS":                     {listeners: []catalog.GatewayListener{https("a", "", tls)}, want: "Accepted ResolvedRefs true"},
		"two hosts":                 {listeners: []catalog.GatewayListener{http("a", ""), http("b", "b.example")}, want: "Accepted ResolvedRefs true, Accepted ResolvedRefs true"},
		"a host twice":              {listeners: []catalog.GatewayListener{http("a", ""), http("b", "")}, want: "Accepted ResolvedRefs true, HostnameConflict ResolvedRefs false"},
		"two protocols on a port":   {listeners: []catalog.GatewayListener{http("a", ""), onPort(https("b", "", tls), 80)}, want: "Accepted ResolvedRefs true, ProtocolConflict ResolvedRefs false"},
		"an unknown port":           {listeners: []catalog.GatewayListener{onPort(http("a", ""), 81)}, want: "PortUnavailable ResolvedRefs false"},
		"UDP":                       {listeners: []catalog.GatewayListener{{Name: "a", Port: 80, Protocol: "UDP", Terminate: true}}, want: "UnsupportedProtocol ResolvedRefs false"},
		"TLS that passes through":   {listeners: []catalog.GatewayListener{passthrough}, want: "UnsupportedProtocol ResolvedRefs false"},
		"no certificate":            {listeners: []catalog.GatewayListener{https("a", "")}, want: "Accepted InvalidCertificateRef false"},
		"a Secret that is not read": {listeners: []catalog.GatewayListener{https("a", "", entity.Name{Namespace: shop, Name: "x"})}, want: "Accepted InvalidCertificateRef false"},
		"a Secret of others":        {listeners: []catalog.GatewayListener{https("a", "", remote)}, want: "Accepted RefNotPermitted false"},
		"a granted Secret":          {listeners: []catalog.GatewayListener{https("a", "", remote)}, more: []catalog.Entry{grant}, want: "Accepted ResolvedRefs true"},
		"a certificate elsewhere":   {listeners: []catalog.GatewayListener{another}, want: "Accepted InvalidCertificateRef true"},
		"a Secret with a problem":   {listeners: []catalog.GatewayListener{https("a", "", broken)}, more: []catalog.Entry{damaged}, want: "Accepted InvalidCertificateRef false"},
		"a Secret with a warning":   {listeners: []catalog.GatewayListener{https("a", "", expiring)}, more: []catalog.Entry{warned}, want: "Accepted InvalidCertificateRef true"},
		"a problem, then a Secret":  {listeners: []catalog.GatewayListener{https("a", "", broken, tls)}, more: []catalog.Entry{damaged}, want: "Accepted InvalidCertificateRef true"},
		"unread, then a Secret":     {listeners: []catalog.GatewayListener{https("a", "", entity.Name{Namespace: shop, Name: "x"}, tls)}, want: "Accepted InvalidCertificateRef true"},
		"of others, then a Secret":  {listeners: []catalog.GatewayListener{https("a", "", remote, tls)}, want: "Accepted RefNotPermitted true"},
		"one of two Secrets":        {listeners: []catalog.GatewayListener{https("a", "", tls, remote)}, want: "Accepted RefNotPermitted true"},
	} {
		t.Run(name, func(t *testing.T) {
			result := gateway.Resolve(mesh(append(test.more, gatewayOf("web", test.listeners...))...))
			var got []string
			for _, l := range result.Gateways[0].Listeners {
				got = append(got, fmt.Sprintf("%s %s %t", l.Accepted.Reason, l.ResolvedRefs.Reason, l.Served))
				if l.Accepted.OK == (l.Accepted.Message != "") || l.ResolvedRefs.OK == (l.ResolvedRefs.Message != "") {
					t.Errorf("listener %s: %+v %+v: exactly the failures need a message", l.Name, l.Accepted, l.ResolvedRefs)
				}
			}
			if text := strings.Join(got, ", "); text != test.want {
				t.Errorf("%s\nwant %s", text, test.want)
			}
		})
	}
}

// TestMessagesOfCertificates checks what is said about the certificates of a listener.
func TestMessagesOfCertificates(t *testing.T) {
	elsewhere := https("a", "")
	elsewhere.OtherCertificate = "ConfigMap tls"
	problem := entity.Name{Namespace: shop, Name: "problem"}
	for _, test := range []struct {
		listener catalog.GatewayListener
		want     string
	}{
		{https("a", ""), "tls.certificateRefs is empty: refer to a Secret of type kubernetes.io/tls."},
		{elsewhere, "tls.certificateRefs refers to ConfigMap tls: refer to a Secret."},
		{https("a", "", problem), "The Secret shop/problem lacks tls.crt."},
		{https("a", "", entity.Name{Namespace: shop, Name: "x"}), "The Secret shop/x has not been read yet."},
	} {
		result := gateway.Resolve(mesh(&catalog.GatewayCertificate{Name: problem, Problem: "The Secret shop/problem lacks tls.crt."}, gatewayOf("web", test.listener)))
		if got := result.Gateways[0].Listeners[0].ResolvedRefs.Message; got != test.want {
			t.Errorf("the message is %q, want %q", got, test.want)
		}
	}
}

// TestListenersAreSorted checks that the order in a Gateway has no effect.
func TestListenersAreSorted(t *testing.T) {
	own := entity.Name{Namespace: shop, Name: "tls"}
	result := gateway.Resolve(mesh(gatewayOf("web", https("d", "b.example", own), https("c", "a.example", own), http("b", "b.example"), http("a", "a.example"))))
	var got []string
	for _, l := range result.Listeners {
		got = append(got, fmt.Sprintf("%d %s", l.Port, l.Hostname))
	}
	if want := "80 a.example, 80 b.example, 443 a.example, 443 b.example"; strings.Join(got, ", ") != want {
		t.Errorf("the listeners are %v, want %s", got, want)
	}
}

// TestUnreadListeners checks which listeners wait for a Secret or a ConfigMap.
func TestUnreadListeners(t *testing.T) {
	own, missing := entity.Name{Namespace: shop, Name: "tls"}, entity.Name{Namespace: shop, Name: "x"}
	broken := entity.Name{Namespace: shop, Name: "broken"}
	rejected := https("a", "", missing)
	rejected.Port = 81
	for name, test := range map[string]struct {
		listener catalog.GatewayListener
		want     int
	}{
		"served":              {https("a", "", own), 0},
		"not read":            {https("a", "", missing), 1},
		"served by the other": {https("a", "", missing, own), 0},
		"with a problem":      {https("a", "", broken), 0},
		"without certificate": {https("a", ""), 0},
		"not accepted":        {rejected, 0},
	} {
		result := gateway.Resolve(mesh(&catalog.GatewayCertificate{Name: broken, Problem: "It lacks tls.crt."}, gatewayOf("web", test.listener)))
		if got := len(result.Unread); got != test.want {
			t.Errorf("%s: %d listeners wait, want %d", name, got, test.want)
		}
	}
}

// TestConflictsNameTheFirstListener has a third listener with another protocol on a port of two.
func TestConflictsNameTheFirstListener(t *testing.T) {
	third := https("third", "", entity.Name{Namespace: shop, Name: "tls"})
	third.Port = 80
	result := gateway.Resolve(mesh(gatewayOf("web", http("first", "a.example"), http("second", "b.example"), third)))
	if got, want := result.Gateways[0].Listeners[2].Accepted.Message, "The listener first of Gateway shop/web has another protocol on port 80."; got != want {
		t.Errorf("the message is %q, want %q", got, want)
	}
}

// TestUnsupportedProtocolHasNoRoutes checks the kinds of routes that a listener reports.
func TestUnsupportedProtocolHasNoRoutes(t *testing.T) {
	udp := catalog.GatewayListener{Name: "udp", Port: 80, Protocol: "UDP", Terminate: true, Kinds: []entity.Kind{entity.KindHTTPRoute}}
	listeners := gateway.Resolve(mesh(gatewayOf("web", http("http", ""), udp))).Gateways[0].Listeners
	if len(listeners[0].Kinds) == 0 || len(listeners[1].Kinds) > 0 {
		t.Errorf("the kinds of HTTP are %v, those of UDP %v", listeners[0].Kinds, listeners[1].Kinds)
	}
}

// TestOldestGatewayHasPrecedence checks that a new Gateway cannot take over a host of another one, in whatever order they are read.
func TestOldestGatewayHasPrecedence(t *testing.T) {
	old, young := gatewayOf("zebra", http("a", "a.example")), gatewayOf("ant", http("a", "a.example"))
	old.Created, young.Created = time.Unix(1, 0), time.Unix(2, 0)
	result := gateway.Resolve(mesh(young, old))
	if len(result.Listeners) != 1 || result.Listeners[0].Gateway.Name != "zebra" {
		t.Errorf("listeners %+v, want that of the older Gateway only", result.Listeners)
	}
}

// TestOtherClass checks that Gateways of other controllers are ignored.
func TestOtherClass(t *testing.T) {
	g := gatewayOf("web", http("a", ""))
	g.Class = "nginx"
	if result := gateway.Resolve(mesh(g, route(shop, "r", nil, rule("/", to(shop))))); len(result.Listeners)+len(result.Gateways)+len(result.Routes) > 0 {
		t.Errorf("%+v, want nothing", result)
	}
}

// TestRoutes checks which routes are attached, and their status. References of routes outside the mesh are not resolved.
func TestRoutes(t *testing.T) {
	from := func(l catalog.GatewayListener, from string, selector ...catalog.LabelRequirement) catalog.GatewayListener {
		l.From, l.Selector = from, selector
		return l
	}
	grant := &catalog.ReferenceGrant{
		Name: entity.Name{Namespace: other, Name: "g"},
		From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "HTTPRoute", Namespace: shop}}, To: []catalog.GrantedObject{{Kind: "Service", Name: "books"}},
	}
	section := route(shop, "r", nil, rule("/", to(shop)))
	section.Parents[0].Section = "missing"
	onOther, onSame := route(shop, "r", nil, rule("/", to(shop))), route(shop, "r", nil, rule("/", to(shop)))
	onOther.Parents[0].Port, onSame.Parents[0].Port = 81, 80
	missing := to(shop)
	missing.Port = 81
	broken := rule("/", to(shop))
	broken.Unsupported = "the gateway does not support the filter X"
	for name, test := range map[string]struct {
		listener catalog.GatewayListener
		route    *catalog.HTTPRoute
		more     []catalog.Entry
		want     string
	}{
		"same namespace":             {http("a", ""), route(shop, "r", nil, rule("/", to(shop))), nil, "Accepted ResolvedRefs"},
		"another namespace":          {http("a", ""), route(other, "r", nil, rule("/", to(other))), nil, "NotAllowedByListeners ResolvedRefs"},
		"all namespaces":             {from(http("a", ""), "All"), route(other, "r", nil, rule("/", to(other))), nil, "Accepted ResolvedRefs"},
		"a namespace outside":        {from(http("a", ""), "All"), route("outside", "r", nil, rule("/", to("outside"))), nil, "NotAllowedByListeners"},
		"a selected namespace":       {from(http("a", ""), "Selector", catalog.LabelRequirement{Key: "public", Operator: "In", Values: []string{"yes"}}), route(other, "r", nil, rule("/", to(other))), nil, "Accepted ResolvedRefs"},
		"a namespace not selected":   {from(http("a", ""), "Selector", catalog.LabelRequirement{Key: "public", Operator: "Exists"}), route(shop, "r", nil, rule("/", to(shop))), nil, "NotAllowedByListeners ResolvedRefs"},
		"another section":            {http("a", ""), section, nil, "NoMatchingParent ResolvedRefs"},
		"another port":               {http("a", ""), onOther, nil, "NoMatchingParent ResolvedRefs"},
		"the same port":              {http("a", ""), onSame, nil, "Accepted ResolvedRefs"},
		"the namespace of the mesh":  {from(http("a", ""), "All"), route(system, "r", nil, rule("/", to(system))), nil, "Accepted BackendNotFound"},
		"another host":               {http("a", "a.example"), route(shop, "r", []string{"b.example"}, rule("/", to(shop))), nil, "NoMatchingListenerHostname ResolvedRefs"},
		"a host of a wildcard":       {http("a", "*.example"), route(shop, "r", []string{"b.example"}, rule("/", to(shop))), nil, "Accepted ResolvedRefs"},
		"a port that is missing":     {http("a", ""), route(shop, "r", nil, rule("/", missing)), nil, "Accepted BackendNotFound"},
		"a Service of others":        {http("a", ""), route(shop, "r", nil, rule("/", to(other))), nil, "Accepted RefNotPermitted"},
		"a granted Service":          {http("a", ""), route(shop, "r", nil, rule("/", to(other))), []catalog.Entry{grant}, "Accepted ResolvedRefs"},
		"something else":             {http("a", ""), route(shop, "r", nil, rule("/", catalog.RouteBackend{Unsupported: "Bucket b"})), nil, "Accepted InvalidKind"},
		"an unsupported rule":        {http("a", ""), route(shop, "r", nil, broken), nil, "UnsupportedValue ResolvedRefs"},
		"an unsupported rule of two": {http("a", ""), route(shop, "r", nil, broken, rule("/a", to(shop))), nil, "Accepted ResolvedRefs"},
	} {
		t.Run(name, func(t *testing.T) {
			result := gateway.Resolve(mesh(append(test.more, gatewayOf("web", test.listener), test.route)...))
			parent := result.Routes[0].Parents[0]
			if got := strings.TrimSpace(parent.Accepted.Reason + " " + parent.ResolvedRefs.Reason); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			attached := int32(0)
			if parent.Accepted.OK || parent.Accepted.Reason == "UnsupportedValue" {
				attached = 1
			}
			if got := result.Gateways[0].Listeners[0].AttachedRoutes; got != attached {
				t.Errorf("%d attached routes, want %d", got, attached)
			}
		})
	}
}

// TestPrecedence checks the order of rules for each host, and that each host belongs to the most specific listener.
func TestPrecedence(t *testing.T) {
	exact := rule("/a", to(shop))
	exact.Matches[0].PathType = "Exact"
	method := rule("/a", to(shop))
	method.Matches[0].Method = "GET"
	result := gateway.Resolve(mesh(
		gatewayOf("web", http("any", ""), http("wildcard", "*.example")),
		route(shop, "1", nil, rule("/", to(shop)), rule("/a", to(shop)), method, exact),
		route(shop, "2", []string{"*.example"}, rule("/wild", to(shop))),
		route(shop, "3", []string{"b.example"}, rule("/b", to(shop))),
	))
	var got []string
	for _, l := range result.Listeners {
		for _, host := range l.Hosts {
			text := l.Name + " " + host.Domain + ":"
			for _, r := range host.Rules {
				text += fmt.Sprintf(" %s%s%s", r.Match.PathType[:1], r.Match.Method, r.Match.Path)
			}
			got = append(got, text)
		}
	}
	want := []string{
		"any *: E/a PGET/a P/a P/",
		"wildcard *.example: E/a P/wild PGET/a P/a P/",
		"wildcard b.example: P/b E/a P/wild PGET/a P/a P/",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("hosts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGatewayReadsNoSecretOfOthers checks that Secrets of other namespaces are not even read without a ReferenceGrant.
func TestGatewayReadsNoSecretOfOthers(t *testing.T) {
	own, remote := entity.Name{Namespace: shop, Name: "tls"}, entity.Name{Namespace: other, Name: "tls"}
	if got := gateway.Certificates(mesh(gatewayOf("web", https("a", "", own, remote)))); len(got) != 1 || got[0] != own {
		t.Errorf("certificates %v, want only %s", got, own)
	}
}

// TestIgnoredFieldsAreNamed checks that the status names the fields that have no effect.
func TestIgnoredFieldsAreNamed(t *testing.T) {
	g, r := gatewayOf("web", http("a", "")), route(shop, "r", nil, rule("/", to(shop)))
	g.Ignored, r.Ignored = []string{"spec.addresses", "spec.infrastructure"}, []string{"spec.rules.retry"}
	result := gateway.Resolve(mesh(g, r))
	if got := result.Gateways[0].Accepted; !got.OK || got.Message != "These fields have no effect: spec.addresses, spec.infrastructure." {
		t.Errorf("the Gateway has %+v", got)
	}
	if got := result.Routes[0].Parents[0].Accepted; !got.OK || got.Message != "These fields have no effect: spec.rules.retry." {
		t.Errorf("the route has %+v", got)
	}
}
