package ingressbackend

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

const (
	ingressHTTP    = "backends: [{name: web, port: {number: 8080, protocol: http}}]\n"
	ingressService = "{kind: Service, name: nginx, namespace: ingress}"
	ingressSource  = "sources: [" + ingressService + "]\n"
)

func ingressEntry(backends ...Port) *Policy {
	return &Policy{Name: ingesttest.Name, Created: ingesttest.Created, Backends: backends, Gateways: []entity.Name{{Namespace: "ingress", Name: "nginx"}}}
}

// TestIngressPorts checks which backends an IngressBackend has, and that one bad backend leaves the others.
func TestIngressPorts(t *testing.T) {
	port := func(service string, number uint16) Port {
		return Port{Service: entity.Name{Namespace: "shop", Name: service}, TargetPort: number}
	}
	for name, c := range map[string]struct {
		backends string
		want     *Policy
		problems []string
	}{
		"sorted": {
			"{name: web, port: {number: 81, protocol: http}}, {name: web, port: {number: 80, protocol: http}}, {name: api, port: {number: 81, protocol: http}}",
			ingressEntry(port("api", 81), port("web", 80), port("web", 81)), nil,
		},
		"bad and repeated ones first": {
			"{name: W_, port: {number: 80, protocol: http}}, {name: web, port: {number: 80, protocol: http}}, {name: web, port: {number: 80, protocol: http}}, {name: web, port: {number: 81, protocol: http}}",
			ingressEntry(port("web", 80), port("web", 81)),
			[]string{"InvalidName: spec.backends[0].name", "DuplicateMatch: spec.backends[2] repeats port 80"},
		},
		"the limits of ports":        {"{name: web, port: {number: 1, protocol: http}}, {name: web, port: {number: 65535, protocol: http}}", ingressEntry(port("web", 1), port("web", 65535)), nil},
		"no port":                    {"{name: web, port: {number: 0, protocol: http}}", nil, []string{"InvalidPort: spec.backends[0].port.number is 0"}},
		"a port above the limit":     {"{name: web, port: {number: 65536, protocol: http}}", nil, []string{"InvalidPort: spec.backends[0].port.number is 65536"}},
		"certificates without TLS":   {"{name: web, port: {number: 80, protocol: http}, tls: {skipClientCertValidation: true}}", ingressEntry(port("web", 80)), nil},
		"unusable names without TLS": {"{name: web, port: {number: 80, protocol: http}, tls: {sniHosts: ['*']}}", ingressEntry(port("web", 80)), []string{"InvalidName: is not a host name"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, "backends: ["+c.backends+"]\n"+ingressSource))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

// TestIngressClients checks who may call, and that unusable clients and matches are left out without admitting others.
func TestIngressClients(t *testing.T) {
	web := Port{Service: entity.Name{Namespace: "shop", Name: "web"}, TargetPort: 8080}
	longest := strings.Repeat("a", 512)
	principals := func(names ...string) *Policy {
		entry := ingressEntry(web)
		entry.Principals = names
		return entry
	}
	groups := ingressEntry(web)
	groups.RouteGroups = []string{"a", "b"}
	ranges := ingressEntry(web)
	ranges.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		sources, rest string
		want          *Policy
		problems      []string
	}{
		"the longest principal":                {"{kind: AuthenticatedPrincipal, name: " + longest + "}", "", principals(longest), nil},
		"a principal that is too long":         {"{kind: AuthenticatedPrincipal, name: a" + longest + "}", "", principals(), []string{"InvalidName: is not a name in a certificate"}},
		"a principal with a control":           {`{kind: AuthenticatedPrincipal, name: "a\x7f"}, {kind: AuthenticatedPrincipal, name: a}`, "", principals("a"), []string{"InvalidName: is not a name in a certificate"}},
		"a Service with an impossible name":    {"{kind: Service, name: A_B, namespace: ingress}", "", ingressEntry(web), []string{`InvalidName: names the Service "A_B"`}},
		"a Service in no possible namespace":   {"{kind: Service, name: nginx, namespace: a.b}", "", ingressEntry(web), []string{`InvalidName: of the namespace "a.b"`}},
		"an address with a zone":               {"{kind: IPRange, name: 'fe80::1%eth0'}, {kind: IPRange, name: 10.0.0.0/8}", "", ranges, []string{"RejectedAddress: is not an IP range"}},
		"groups are sorted":                    {"", "matches: [{kind: HTTPRouteGroup, name: b}, {kind: HTTPRouteGroup, name: a}, {kind: HTTPRouteGroup, name: b}]", groups, nil},
		"an impossible group is not any":       {"", "matches: [{kind: HTTPRouteGroup, name: A_B}]", nil, []string{`InvalidName: spec.matches[0].name "A_B"`}},
		"an impossible group leaves others":    {"", "matches: [{kind: HTTPRouteGroup, name: A_B}, {kind: HTTPRouteGroup, name: a}, {kind: HTTPRouteGroup, name: b}]", groups, []string{"InvalidName: spec.matches[0]"}},
		"a group of no name is not any either": {"", "matches: [{kind: HTTPRouteGroup}]", nil, []string{"InvalidName: spec.matches[0].name"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, ingressHTTP+"sources: ["+ingressService+", "+c.sources+"]\n"+c.rest))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}
