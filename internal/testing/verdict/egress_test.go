package verdict

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEgressDecisions compares the policy engine with the reference, for calls to destinations outside the mesh.
func TestEgressDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := State{}
		add := func(e catalog.Entry) { state[e.Ref()] = e }
		add(&catalog.Namespace{Name: "a", Monitored: true})
		add(&catalog.Settings{Egress: rapid.IntRange(0, 3).Draw(t, "open") == 0, EgressPolicies: rapid.IntRange(0, 5).Draw(t, "on") > 0})
		add(Group("a", "one", "/get", "/public/.*"))
		two := Group("a", "two", "/.*")
		two.Matches[0].Headers = []catalog.HeaderMatch{{Name: "x-user", Regex: "alice"}}
		add(two)
		for _, name := range []string{"x", "y", "z"} {
			if rapid.Bool().Draw(t, name) {
				add(DrawEgress(t, Name("a", name), []string{rapid.SampledFrom([]string{"one", "two"}).Draw(t, "source")}))
			}
		}
		add(&catalog.BackendAuthorities{Name: Name("a", "good"), PEM: []byte("certificates")})
		add(&catalog.BackendAuthorities{Name: Name("a", "bad"), Problem: "The ConfigMap is empty."})
		for _, name := range []string{"p", "q"} {
			if rapid.Bool().Draw(t, name) {
				add(drawBackendTLS(t, Name("a", name)))
			}
		}
		call := drawCall(t)
		got := authz.DecideEgress(newOracle(state).catalog.View(), call)
		want := state.objects().DecideEgress(referenceCall(call))
		if problem := egressDisagreement(got, want); problem != "" {
			t.Fatalf("%s, about %+v", problem, call)
		}
		if (got.Outcome == authz.Allowed || got.Outcome == authz.PassedThrough) != (got.Missing == "") || (got.Outcome == authz.Allowed) != (len(got.Policies) > 0) {
			t.Fatalf("the reasons do not fit the outcome: %+v", got)
		}
	})
}

// drawBackendTLS draws a policy for the Egresses of the test, with authorities that can be used, that cannot, or that were not read.
func drawBackendTLS(t *rapid.T, name entity.Name) *catalog.BackendTLSPolicy {
	p := &catalog.BackendTLSPolicy{Name: name, Created: time.Unix(int64(rapid.IntRange(0, 1).Draw(t, "created")), 0), Hostname: "api.example.com"}
	for _, target := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 1, 2, rapid.ID).Draw(t, "targets") {
		p.Targets = append(p.Targets, catalog.PolicyTarget{Group: catalog.PolicyGroup, Kind: "Egress", Name: target})
	}
	p.Authorities = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"good", "good", "bad", "unread"}), 1, 2, rapid.ID).Draw(t, "authorities")
	return p
}

func drawCall(t *rapid.T) authz.EgressRequest {
	call := authz.EgressRequest{
		Source:   SA("a", "one"),
		Port:     rapid.SampledFrom(EgressPorts).Draw(t, "port"),
		Protocol: rapid.SampledFrom([]inventory.Protocol{inventory.ProtocolHTTP, catalog.ProtocolHTTPS, inventory.ProtocolTCP}).Draw(t, "protocol"),
	}
	if address := rapid.SampledFrom([]string{"", "192.0.2.1", "192.0.2.99", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2001:db9::1"}).Draw(t, "address"); address != "" {
		call.Address = netip.MustParseAddr(address)
	}
	if call.Protocol != inventory.ProtocolTCP {
		call.Host = rapid.SampledFrom(append([]string{"other.example.com", "example.com", ""}, EgressHosts...)).Draw(t, "host")
	}
	if call.Protocol == inventory.ProtocolHTTP {
		call.Method = "GET"
		call.Path = rapid.SampledFrom([]string{"/get", "/public/a?b=//", "/private", "/public/../private", "/public/%2e%2e/a", "/public//a", "/get/..", "/public/..;/a", "/get#/a"}).Draw(t, "path")
		if rapid.Bool().Draw(t, "with header") {
			call.Headers = []authz.Header{{Name: "X-User", Value: rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "user")}}
		}
		if rapid.Bool().Draw(t, "with port") {
			call.Host += map[uint16]string{80: ":80", 443: ":443"}[call.Port]
		}
	}
	return call
}
