package ingest

import (
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestLargestPorts checks that the smallest and the largest port are usable.
func TestLargestPorts(t *testing.T) {
	route, problems := TCPRoute(smi(t, "matches: {ports: [1, 65535]}"))
	expect(t, &catalog.TCPRoute{Name: x, Ports: []uint16{1, 65535}}, route, nil, problems)
}

// TestSplitLimits checks the limits of a TrafficSplit, and that each bad backend is a problem.
func TestSplitLimits(t *testing.T) {
	matches := strings.Repeat("{kind: HTTPRouteGroup, name: a}, ", maxMatches)
	backends := strings.Repeat("{service: v1, weight: 1}, ", maxBackends-1)
	split, problems := TrafficSplit(smi(t, "service: books\nmatches: ["+matches+"]\nbackends: ["+backends+"{service: v2, weight: 1000000}]"))
	service := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	expect(t, &catalog.TrafficSplit{
		Name: x, Created: created, Root: service("books"), Matches: []string{"a"},
		Backends: []catalog.SplitBackend{{Service: service("v1"), Weight: maxBackends - 1}, {Service: service("v2"), Weight: 1000000}},
	}, split, []string{"?DuplicateMatch: spec.backends has 256 elements for 2 Services"}, problems)
	split, problems = TrafficSplit(smi(t, "service: books\nbackends: [{service: v1.bank}, {service: v1, weight: -1}, {service: v2, weight: 1000001}]"))
	expect(t, nil, split, []string{"InvalidName: spec.backends[0]", "InvalidWeight: spec.backends[1]", "InvalidWeight: spec.backends[2]"}, problems)
}

// TestUDPRoute checks that the author of a UDPRoute learns that it is not enforced.
func TestUDPRoute(t *testing.T) {
	expect(t, 0, 0, []string{"?NotCaptured: this UDPRoute is not enforced"}, UDPRoute(smi(t, "{}")))
}

// TestStatusMessage checks that a message without an effect is the whole status.
func TestStatusMessage(t *testing.T) {
	for want, p := range map[string]Problem{"A is wrong.": {Message: "A is wrong."}, "A is wrong. B applies.": {Message: "A is wrong.", Effect: "B applies."}} {
		if got := p.StatusMessage(); got != want {
			t.Errorf("the message is %q, want %q", got, want)
		}
	}
}

// TestTLSVersions checks which ranges of versions sidecars get.
func TestTLSVersions(t *testing.T) {
	for _, c := range []struct {
		minimum, maximum         string
		wantMinimum, wantMaximum string
		problems                 []string
	}{
		{"TLSv1_3", "TLSv1_3", "TLSv1_3", "TLSv1_3", nil},
		{"TLS_AUTO", "TLSv1_0", "TLS_AUTO", "TLSv1_0", nil},
		{"TLSv1_0", "TLS_AUTO", "TLSv1_0", "TLS_AUTO", nil},
		{"", "TLSv1_0", "TLSv1_2", "TLSv1_3", []string{"InvalidTLS: TLSv1_2 is newer than"}},
	} {
		var found Problems
		minimum, maximum := tlsRange(configv1alpha2.SidecarSpec{
			TLSMinProtocolVersion: configv1alpha2.TLSVersion(c.minimum), TLSMaxProtocolVersion: configv1alpha2.TLSVersion(c.maximum),
		}, &found)
		expect(t, [2]string{c.wantMinimum, c.wantMaximum}, [2]string{minimum, maximum}, c.problems, found)
	}
}

// TestKeySizes checks which sizes of keys are replaced.
func TestKeySizes(t *testing.T) {
	for bits, usable := range map[int]bool{0: true, 2047: false, 2048: true, 4096: true, 4097: false} {
		var found Problems
		replacedSettings(&configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{CertKeyBitSize: bits}}, &found)
		if (len(found) == 0) != usable {
			t.Errorf("%d: the problems are %+v, want usable = %t", bits, found, usable)
		}
	}
}

// TestTracingLimits checks the limits of the percentage, and paths that are none.
func TestTracingLimits(t *testing.T) {
	for text, usable := range map[string]bool{"0": true, "100": true, "100.1": false, "-0.1": false, "x": false, "1e999": false} {
		var found Problems
		got := sampling("tracing", text, "All traces are sent.", &found)
		if (len(found) == 0) != usable || !usable && got != 100 {
			t.Errorf("%s is read as %g with the problems %+v, want usable = %t", text, got, found, usable)
		}
	}
	var found Problems
	got := tracing(&configv1alpha2.TracingSpec{Enable: true, Endpoint: "/a b"}, "osm-system", &found)
	expect(t, nil, got, []string{`Malformed: endpoint "/a b" is not a URL path`}, found)
}
