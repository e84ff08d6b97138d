package ingressbackend

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// TestIngressBackend reads each field, and what is left of objects with a field that cannot be used.
func TestIngressBackend(t *testing.T) {
	const (
		http    = "backends: [{name: web, port: {number: 8080, protocol: http}}]\n"
		https   = "backends: [{name: web, port: {number: 8080, protocol: https}, tls: {skipClientCertValidation: false, sniHosts: [b.example.com, a.example.com]}}]\n"
		skip    = "backends: [{name: web, port: {number: 8080, protocol: https}, tls: {skipClientCertValidation: true}}]\n"
		service = "{kind: Service, name: nginx, namespace: ingress}"
		person  = "{kind: AuthenticatedPrincipal, name: nginx.ingress.cluster.local}"
	)
	from := func(sources ...string) string { return "sources: [" + strings.Join(sources, ", ") + "]\n" }
	entry := func(change func(*Policy)) *Policy {
		b := &Policy{
			Name: ingesttest.Name, Created: ingesttest.Created, Backends: []Port{{Service: entity.Name{Namespace: "shop", Name: "web"}, TargetPort: 8080}},
			Gateways: []entity.Name{{Namespace: "ingress", Name: "nginx"}},
		}
		change(b)
		return b
	}
	for name, c := range map[string]struct {
		spec     string
		want     *Policy
		problems []string
	}{
		"http from a Service": {http + from(service), entry(func(*Policy) {}), nil},
		"http from ranges": {http + from("{kind: IPRange, name: 10.1.2.3/8}", "{kind: IPRange, name: 2001:db8::1}"), entry(func(b *Policy) {
			b.Gateways, b.Prefixes = nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
		}), nil},
		"https with a principal": {https + from(service, person), entry(func(b *Policy) {
			b.Principals = []string{"nginx.ingress.cluster.local"}
			b.Backends[0].TLS, b.Backends[0].ServerNames = true, []string{"a.example.com", "b.example.com"}
		}), nil},
		"a bad server name before good ones": {strings.Replace(https, "[b.", "['*', b.", 1) + from(service, person), entry(func(b *Policy) {
			b.Principals = []string{"nginx.ingress.cluster.local"}
			b.Backends[0].TLS, b.Backends[0].ServerNames = true, []string{"a.example.com", "b.example.com"}
		}), []string{"InvalidName: is not a host name"}},
		"https with a principal from any address": {https + from(person), entry(func(b *Policy) {
			b.Gateways, b.Principals = nil, []string{"nginx.ingress.cluster.local"}
			b.Backends[0].TLS, b.Backends[0].ServerNames = true, []string{"a.example.com", "b.example.com"}
		}), nil},
		"https without verification": {skip + from(service), entry(func(b *Policy) {
			b.Backends[0].TLS, b.Backends[0].SkipClientCertificate = true, true
		}), nil},
		"requests of a group": {http + from(service) + "matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: front}]", entry(func(b *Policy) {
			b.RouteGroups = []string{"front"}
		}), nil},
		"https without a principal":              {https + from(service), nil, []string{"GrantsNothing: add the name in the certificate of the ingress controller, or set tls.skipClientCertValidation"}},
		"http from a principal only":             {http + from(person), nil, []string{"GrantsNothing: add the Service of the ingress controller. To admit every address, write the IPRange 0.0.0.0/0"}},
		"no verification, from a principal only": {skip + from(person), nil, []string{"GrantsNothing: verifies no client certificate"}},
		"no sources":                             {http, nil, []string{"GrantsNothing: spec.sources is empty", "GrantsNothing: admits nobody"}},
		"a bad range does not mean any":          {https + from("{kind: IPRange, name: 10.0.0.0/33}", person), nil, []string{"RejectedAddress: is not an IP range, so it is left out: write for example 10.0.0.0/8"}},
		"an IPv4 range in IPv6 notation":         {https + from("{kind: IPRange, name: '::ffff:10.0.0.0/104'}", person), nil, []string{"RejectedAddress: write it in IPv4 notation"}},
		"a Service without a namespace":          {http + from("{kind: Service, name: nginx}"), nil, []string{"InvalidName: write the name and the namespace", "GrantsNothing: admits nobody"}},
		"a server name of the wrong type": {
			"backends: [{name: web, port: {number: 80, protocol: https}, tls: {skipClientCertValidation: true, sniHosts: [a, 5]}}]\n" + from(service), nil,
			[]string{"Malformed: spec.backends[0].tls.sniHosts[1] is the number 5: expected text"},
		},
		"several sources are sorted": {
			https + from("{kind: Service, name: z, namespace: b}", "{kind: Service, name: a, namespace: b}", "{kind: Service, name: a, namespace: b}", "{kind: IPRange, name: 10.0.0.0/8}", "{kind: IPRange, name: 9.0.0.0/8}", person, "{kind: AuthenticatedPrincipal, name: a.b.c}"),
			entry(func(b *Policy) {
				b.Gateways = []entity.Name{{Namespace: "b", Name: "a"}, {Namespace: "b", Name: "z"}}
				b.Prefixes = []netip.Prefix{netip.MustParsePrefix("9.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
				b.Principals = []string{"a.b.c", "nginx.ingress.cluster.local"}
				b.Backends[0].TLS, b.Backends[0].ServerNames = true, []string{"a.example.com", "b.example.com"}
			}), nil,
		},
		"a bad Service does not mean any": {https + from("{kind: Service, name: nginx}", person), nil, []string{"InvalidName: write the name and the namespace"}},
		"a name that is none": {
			http + from(service, "{kind: AuthenticatedPrincipal, name: 'a b'}", "{kind: AuthenticatedPrincipal}", "{kind: IPRange, name: 10.0.0.0/8}"),
			entry(func(b *Policy) { b.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }),
			[]string{"InvalidName: is not a name in a certificate", "InvalidName: is not a name in a certificate"},
		},
		"an unknown source":                        {http + from(service, "{kind: User, name: me}"), entry(func(*Policy) {}), []string{`Unsupported: kind "User"`}},
		"an unknown protocol":                      {strings.Replace(http, "protocol: http", "protocol: tcp", 1) + from(service), nil, []string{"UnknownProtocol: use http or https"}},
		"a port out of range":                      {strings.Replace(http, "8080", "70000", 1) + from(service), nil, []string{"InvalidPort: write the targetPort of the Service, 1 to 65535"}},
		"a matching port next to a bad one":        {"backends: [{name: web, port: {number: 8080, protocol: http}}, {name: W_, port: {number: 1, protocol: http}}]\n" + from(service), entry(func(*Policy) {}), []string{"InvalidName: is not the name of a Service"}},
		"a repeated port":                          {"backends: [{name: web, port: {number: 8080, protocol: http}}, {name: web, port: {number: 8080, protocol: https}}]\n" + from(service), entry(func(*Policy) {}), []string{"DuplicateMatch: write each port once"}},
		"server names without TLS":                 {"backends: [{name: web, port: {number: 8080, protocol: http}, tls: {sniHosts: [a.example.com]}}]\n" + from(service), entry(func(*Policy) {}), []string{"?NotUsed: have no effect with the protocol http"}},
		"unusable server names do not mean any":    {strings.Replace(https, "[b.example.com, a.example.com]", "['*']", 1) + from(service, person), nil, []string{"InvalidName: is not a host name", "InvalidName: no usable name in tls.sniHosts"}},
		"unusable matches do not mean any":         {http + from(service) + "matches: [{kind: TCPRoute, name: front}]", nil, []string{"Unsupported: use HTTPRouteGroup"}},
		"a wrong type is the only problem of note": {"backends: {name: web}\n" + from(service), nil, []string{"Malformed: spec.backends is an object: expected a list"}},
		"a flag that is text":                      {strings.Replace(skip, "true", "'yes'", 1) + from(service), nil, []string{`Malformed: spec.backends[0].tls.skipClientCertValidation is the text "yes": expected true or false`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, c.spec))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

// FuzzRead checks that no port is open to everybody.
func FuzzRead(f *testing.F) {
	ingesttest.Fuzz(f, Read, checkClients,
		`{"metadata":{"namespace":"a"},"spec":{"backends":[{"name":"x","port":{"number":80,"protocol":"https"},"tls":{"sniHosts":["a"]}}],"sources":[{"kind":"IPRange","name":"::/0"},{"kind":"AuthenticatedPrincipal","name":"b"}],"matches":[{"kind":"HTTPRouteGroup","name":"c"}]}}`)
}

// checkClients verifies that each port selects its clients by what they can prove.
func checkClients(t *testing.T, policy *Policy) {
	t.Helper()
	for _, port := range policy.Backends {
		verified := port.TLS && !port.SkipClientCertificate
		if verified && len(policy.Principals) == 0 || !verified && policy.AnyAddress() || port.TargetPort == 0 || port.Service.Namespace != policy.Name.Namespace {
			t.Errorf("a port for anybody: %+v", policy)
		}
	}
}
