package ingest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

func TestEgress(t *testing.T) {
	const (
		source = "sources: [{kind: ServiceAccount, name: curl, namespace: shop}]\n"
		hosts  = "hosts: [B.example.com., a.example.com]\n"
		ranges = "ipAddresses: [10.1.2.3/8, '2001:db8::1']\n"
	)
	ports := func(list ...string) string { return "ports: [{" + strings.Join(list, "}, {") + "}]\n" }
	http, https, tcp := ports("number: 80, protocol: http"), ports("number: 443, protocol: https"), ports("number: 5432, protocol: TCP")
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	names := []string{"a.example.com", "b.example.com"}
	entry := func(number uint16, protocol inventory.Protocol, change func(*catalog.Egress)) *catalog.Egress {
		e := &catalog.Egress{
			Name: x, Created: created, Sources: []identity.ServiceAccount{{Namespace: "shop", Name: "curl"}},
			Ports: []catalog.EgressPort{{Number: number, Protocol: protocol}},
		}
		change(e)
		return e
	}
	withHosts := func(e *catalog.Egress) { e.Hosts = names }
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.Egress
		problems []string
	}{
		"http to hosts":        {source + hosts + http, entry(80, inventory.ProtocolHTTP, withHosts), nil},
		"https to hosts":       {source + hosts + https, entry(443, catalog.ProtocolHTTPS, withHosts), nil},
		"https to ranges":      {source + ranges + https, entry(443, catalog.ProtocolHTTPS, func(e *catalog.Egress) { e.Prefixes = prefixes }), nil},
		"tcp to any address":   {source + tcp, entry(5432, inventory.ProtocolTCP, func(*catalog.Egress) {}), nil},
		"tcp to ranges":        {source + ranges + tcp, entry(5432, inventory.ProtocolTCP, func(e *catalog.Egress) { e.Prefixes = prefixes }), nil},
		"server first":         {source + ports("number: 3306, protocol: tcp-server-first"), entry(3306, inventory.ProtocolTCPServerFirst, func(*catalog.Egress) {}), nil},
		"an address as a host": {source + "hosts: ['192.0.2.1']\n" + http, entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) { e.Hosts = []string{"192.0.2.1"} }), nil},
		"a wildcard within ranges": {source + "hosts: ['*.example.com']\n" + ranges + https, entry(443, catalog.ProtocolHTTPS, func(e *catalog.Egress) {
			e.Hosts, e.Prefixes = []string{"*.example.com"}, prefixes
		}), nil},
		"http with ranges": {source + hosts + ranges + http, entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) { e.Hosts, e.Prefixes = names, prefixes }), []string{
			"?NotUsed: spec.ipAddresses has no effect on ports with the protocol http",
		}},
		"http on the port of https": {source + hosts + ports("number: 443, protocol: http"), entry(443, inventory.ProtocolHTTP, withHosts), []string{"?UnknownProtocol: write https"}},
		"http on the port of https, which the gateway encrypts": {source + hosts + ports("number: 443, protocol: http") + "gateway: {}", entry(443, inventory.ProtocolHTTP, func(e *catalog.Egress) {
			e.Hosts, e.Gateway = names, &catalog.EgressGateway{}
		}), nil},
		"https on the port of http": {source + hosts + ports("number: 80, protocol: https"), entry(80, catalog.ProtocolHTTPS, withHosts), []string{"?UnknownProtocol: write http, unless"}},
		"requests and limits": {
			source + hosts + http + "matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: get}, {apiGroup: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, name: slow}]",
			entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) {
				e.Hosts, e.Restricted, e.RouteGroups, e.Setting = names, true, []string{"get"}, "slow"
			}), nil,
		},
		"through the gateway": {source + hosts + http + "gateway: {}", entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) {
			e.Hosts, e.Gateway = names, &catalog.EgressGateway{}
		}), nil},
		"encrypted by the gateway": {source + hosts + http + "gateway: {tls: {port: 8443, secretName: ca}}", entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) {
			e.Hosts, e.Gateway = names, &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 8443, Secret: "ca"}}
		}), nil},
		"encrypted by the gateway on the usual port": {source + hosts + http + "gateway: {tls: {secretName: ca}}", entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) {
			e.Hosts, e.Gateway = names, &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: "ca"}}
		}), nil},
		"encrypted by clients and the gateway": {source + hosts + https + "gateway: {tls: {secretName: ca}}", entry(443, catalog.ProtocolHTTPS, func(e *catalog.Egress) {
			e.Hosts, e.Gateway = names, &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: "ca"}}
		}), []string{"?NotUsed: use the protocol http, or remove it"}},
		"the gateway without a Secret":              {source + hosts + http + "gateway: {tls: {}}", nil, []string{"InvalidName: name a Secret with the key ca.crt"}},
		"the gateway to the port of a sidecar":      {source + hosts + http + "gateway: {tls: {port: 15000, secretName: ca}}", nil, []string{"InvalidPort: that does not belong to sidecars"}},
		"tcp through the gateway":                   {source + hosts + tcp + "gateway: {}", nil, []string{"Unsupported: use http or https"}},
		"ranges through the gateway":                {source + hosts + ranges + https + "gateway: {}", nil, []string{"Unsupported: remove spec.ipAddresses or spec.gateway"}},
		"hosts in the pod of the gateway":           {source + "hosts: [localhost, 127.0.0.1, '::1', 0.0.0.0, 169.254.169.254]\n" + http + "gateway: {}", nil, []string{"RejectedAddress: 0.0.0.0", "RejectedAddress: 127.0.0.1", "RejectedAddress: 169.254.169.254", "RejectedAddress: ::1", "RejectedAddress: localhost", "GrantsNothing: names no host"}},
		"a gateway of the wrong type":               {source + hosts + http + "gateway: 5", nil, []string{"Malformed: spec.gateway"}},
		"a client of another namespace":             {"sources: [{kind: ServiceAccount, name: curl, namespace: till}]\n" + hosts + http, nil, []string{"ForeignNamespace: Only that namespace decides"}},
		"no sources":                                {hosts + http, nil, []string{"GrantsNothing: spec.sources is empty"}},
		"no ports":                                  {source + hosts, nil, []string{"GrantsNothing: spec.ports is empty"}},
		"http without hosts":                        {source + http, nil, []string{"GrantsNothing: spec.hosts names no host"}},
		"https without hosts and ranges":            {source + https, nil, []string{"GrantsNothing: neither spec.hosts nor spec.ipAddresses"}},
		"https to an address without a name":        {source + "hosts: ['192.0.2.1']\n" + https, nil, []string{"GrantsNothing: neither spec.hosts"}},
		"a wildcard without addresses":              {source + "hosts: ['*.example.com']\n" + https, nil, []string{"Unsupported: name each host", "GrantsNothing: neither"}},
		"a host with a port":                        {source + "hosts: ['a.example.com:80', a.example.com]\n" + http, entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) { e.Hosts = names[:1] }), []string{"InvalidName: Ports belong to spec.ports"}},
		"invalid ranges do not mean any address":    {source + "ipAddresses: [10.0.0.0/99]\n" + tcp, nil, []string{"RejectedAddress: spec.ipAddresses[0] \"10.0.0.0/99\" is not an IP range"}},
		"an unknown protocol":                       {source + hosts + ports("number: 80, protocol: grpc"), nil, []string{"UnknownProtocol: use http, https, tcp or tcp-server-first"}},
		"a port of the sidecar":                     {source + ports("number: 15000, protocol: tcp"), nil, []string{"InvalidPort: belongs to sidecars"}},
		"server first excludes http":                {source + hosts + ports("number: 80, protocol: http", "number: 80, protocol: tcp-server-first"), entry(80, inventory.ProtocolTCPServerFirst, withHosts), []string{"DuplicateMatch: exclude each other", "?NotUsed: spec.hosts has no effect"}},
		"hosts do not restrict tcp":                 {source + hosts + tcp, entry(5432, inventory.ProtocolTCP, withHosts), []string{"?NotUsed: restrict them with spec.ipAddresses"}},
		"unusable matches do not mean all requests": {source + hosts + http + "matches: [{kind: TCPRoute, name: get}]", nil, []string{"Unsupported: use an HTTPRouteGroup"}},
		"a group of another API":                    {source + hosts + http + "matches: [{apiGroup: example.com, kind: HTTPRouteGroup, name: get}]", nil, []string{"Unsupported: of the group \"example.com\""}},
		"two settings": {source + hosts + http + "matches: [{kind: UpstreamTrafficSetting, name: b}, {kind: UpstreamTrafficSetting, name: a}]", entry(80, inventory.ProtocolHTTP, func(e *catalog.Egress) {
			e.Hosts, e.Setting = names, "b"
		}), []string{"DuplicateMatch: only b applies"}},
		"a wrong type": {source + "hosts: a.example.com\n" + http, nil, []string{"Malformed: spec.hosts is the text"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Egress(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}
