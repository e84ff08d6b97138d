package authz_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// egressVariant is one of the Egresses that are combined, and the ConfigMap of its BackendTLSPolicy; empty for no policy.
type egressVariant struct {
	name        string
	change      func(*catalog.Egress)
	authorities string
}

// egressVariants are the Egresses for port 80 that combine protocols, hosts, ranges, restrictions, the egress gateway and encryption. Without details they have
// one host, whose requests are not encrypted.
func egressVariants(details bool) []egressVariant {
	const http, https, tcp, first = inventory.ProtocolHTTP, catalog.ProtocolHTTPS, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst
	hosts, authorities := [][]string{{"api.example.com"}}, []string{""}
	if details {
		hosts = append(hosts, []string{"*.example.com", "192.0.2.1"}, []string{"api.example.com", "www.example.com"})
		authorities = append(authorities, "good", "bad")
	}
	var list []egressVariant
	for _, protocols := range [][]inventory.Protocol{{http}, {https}, {tcp}, {first}, {http, https}, {http, tcp}, {tcp, first}} {
		for _, prefixes := range [][]string{nil, {"192.0.2.0/24"}} {
			for _, names := range hosts {
				for _, encryption := range authorities {
					list = append(list, variantsOf(protocols, prefixes, names, encryption)...)
				}
			}
		}
	}
	return list
}

// variantsOf returns the Egresses with and without restriction and gateway. It omits those with a part that has no effect.
func variantsOf(protocols []inventory.Protocol, prefixes, hosts []string, authorities string) []egressVariant {
	sendsRequests := slices.Contains(protocols, inventory.ProtocolHTTP)
	hasBytes := slices.Contains(protocols, inventory.ProtocolTCP) || slices.Contains(protocols, inventory.ProtocolTCPServerFirst)
	requestsOnly := sendsRequests && len(protocols) == 1
	switch {
	case authorities != "" && (!sendsRequests || !slices.Equal(hosts, []string{"api.example.com"})),
		prefixes == nil && !hasBytes && hosts[0] == "*.example.com",
		prefixes != nil && requestsOnly:
		return nil
	}
	var list []egressVariant
	for _, restricted := range []bool{false, true} {
		for _, gateway := range []bool{false, true} {
			if restricted && !sendsRequests || gateway && (hasBytes || prefixes != nil || authorities != "") {
				continue
			}
			list = append(list, egressVariant{
				name: fmt.Sprint(protocols, prefixes, hosts, " restricted ", restricted, " gateway ", gateway, " ", authorities), authorities: authorities,
				change: func(e *catalog.Egress) {
					e.Ports, e.Hosts = nil, hosts
					for _, protocol := range protocols {
						e.Ports = append(e.Ports, port(80, protocol))
					}
					within(prefixes...)(e)
					if restricted {
						e.Restricted, e.RouteGroups = true, []string{"get"}
					}
					if gateway {
						through(e)
					}
				},
			})
		}
	}
	return list
}

// egressCalls are calls to port 80 that the variants decide about differently.
func egressCalls() (calls []authz.EgressRequest) {
	for _, address := range []string{"192.0.2.1", "198.51.100.1"} {
		call := authz.EgressRequest{Source: meshtest.SA("ns", "client"), Address: netip.MustParseAddr(address), Port: 80, Protocol: inventory.ProtocolTCP}
		calls = append(calls, call)
		for _, host := range []string{"api.example.com", "www.example.com"} {
			call.Host = host
			call.Protocol, call.Method, call.Path = catalog.ProtocolHTTPS, "", ""
			calls = append(calls, call)
			call.Protocol, call.Method, call.Path = inventory.ProtocolHTTP, "GET", "/get"
			calls = append(calls, call)
		}
		call.Host, call.Path = "api.example.com", "/other"
		calls = append(calls, call)
		call.Host = "192.0.2.1"
		calls = append(calls, call)
	}
	return calls
}

// egressCombination is what some Egresses of a client do together. An Egress is identified by its position; the first two have the same age.
type egressCombination struct {
	answers []authz.EgressAnswer
	// winners are the Egresses that the conflicts of each one name.
	winners [3][]entity.Name
}

func positionName(position int) entity.Name {
	return meshtest.Name("ns", fmt.Sprint(position))
}

// egressCombinations computes what combinations of Egresses do, each one once.
type egressCombinations struct {
	variants []egressVariant
	// required is true if the namespace requires the egress gateway.
	required bool
	calls    []authz.EgressRequest
	known    map[[3]int]egressCombination
}

func newEgressCombinations(details, required bool) egressCombinations {
	return egressCombinations{egressVariants(details), required, egressCalls(), map[[3]int]egressCombination{}}
}

// of returns what the variants at some positions do together; -1 is none.
func (w egressCombinations) of(positions [3]int) egressCombination {
	result, known := w.known[positions]
	if !known {
		result = w.compute(positions)
		if slices.Contains(positions[:], -1) { // others are needed once
			w.known[positions] = result
		}
	}
	return result
}

func (w egressCombinations) compute(positions [3]int) (result egressCombination) {
	entries := []catalog.Entry{
		&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true, EgressGateway: w.required},
		meshtest.Group("ns", "get", "/get"), &catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
	}
	policies := map[int]*catalog.Egress{}
	for position, variant := range positions {
		if variant < 0 {
			continue
		}
		name := fmt.Sprint(position)
		policies[position] = outside(name, int64(position/2), w.variants[variant].change)
		entries = append(entries, policies[position])
		if authorities := w.variants[variant].authorities; authorities != "" {
			entries = append(entries, encrypting(name, 1, authorities, name))
		}
	}
	v := meshtest.Apply(entries...).View()
	for _, call := range w.calls {
		result.answers = append(result.answers, authz.DecideEgress(v, call))
	}
	for position, policy := range policies {
		for _, conflict := range authz.EgressConflicts(v, policy) {
			result.winners[position] = append(result.winners[position], conflict.Winner)
		}
	}
	return result
}

// check checks that an Egress which would allow a call without another one names it in its conflicts.
func (w egressCombinations) check(t *testing.T, positions [3]int) {
	t.Helper()
	all := w.of(positions)
	for loser := range positions {
		if positions[loser] < 0 {
			continue
		}
		alone := [3]int{-1, -1, -1}
		alone[loser] = positions[loser]
		itself := w.of(alone)
		for winner := range positions {
			if winner == loser || positions[winner] < 0 || slices.Contains(all.winners[loser], positionName(winner)) {
				continue
			}
			others := positions
			others[winner] = -1
			without := w.of(others)
			for i, call := range w.calls {
				if isDisplaced(positionName(loser), call, all.answers[i], without.answers[i], itself.answers[i]) {
					t.Fatalf("%d would allow %s %s %s at %s without %d, and its conflicts name %v:\n%s", loser, call.Protocol, call.Host, call.Path, call.Address, winner,
						all.winners[loser], w.describe(positions))
				}
			}
		}
	}
}

// isDisplaced reports whether an Egress allows a call alone and without another one, but not with it. The egress gateway decides alone about requests.
func isDisplaced(name entity.Name, call authz.EgressRequest, with, without, alone authz.EgressAnswer) bool {
	decidedByOther := call.Protocol == inventory.ProtocolHTTP && with.Gateway && !slices.Contains(with.Policies, name.String())
	return alone.Outcome == authz.Allowed && without.Outcome == authz.Allowed && slices.Contains(without.Policies, name.String()) &&
		(with.Outcome != authz.Allowed || decidedByOther)
}

func (w egressCombinations) describe(positions [3]int) (text string) {
	for position, variant := range positions {
		if variant >= 0 {
			text += fmt.Sprintf("%d: %s\n", position, w.variants[variant].name)
		}
	}
	return text
}

// TestEgressConflictsOfPairs checks all pairs of Egresses in detail, also in a namespace that requires the egress gateway.
func TestEgressConflictsOfPairs(t *testing.T) {
	for _, required := range []bool{false, true} {
		w := newEgressCombinations(true, required)
		for older := range w.variants {
			for younger := range w.variants {
				w.check(t, [3]int{older, -1, younger})
			}
		}
	}
}

// TestEgressConflictsOfTriples checks all triples of Egresses: without one of them, another one may decide.
func TestEgressConflictsOfTriples(t *testing.T) {
	w := newEgressCombinations(false, false)
	for first := range w.variants {
		for second := range w.variants {
			for third := range w.variants {
				w.check(t, [3]int{first, second, third})
			}
		}
	}
}

// TestEgressConflictsByEncryption checks which BackendTLSPolicies of other Egresses prevent the requests of one.
func TestEgressConflictsByEncryption(t *testing.T) {
	direct := func(*catalog.Egress) {}
	twice := encrypting("p", 1, "bad", "one", "two")
	for name, test := range map[string]struct {
		change  func(*catalog.Egress)
		entries []catalog.Entry
		want    string
	}{
		"unusable":                       {direct, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "bad", "two")}, "two p true"},
		"usable":                         {direct, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "good", "two")}, ""},
		"usable, with the gateway":       {through, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "good", "two")}, "two p false"},
		"unusable, with the gateway":     {through, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "bad", "two")}, "two p true"},
		"its own":                        {direct, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "bad", "one")}, ""},
		"its own and that of another":    {direct, []catalog.Entry{outside("two", 0, direct), twice}, ""},
		"older than its own":             {direct, []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "bad", "two"), encrypting("q", 2, "good", "one")}, "two p true"},
		"younger than its own":           {direct, []catalog.Entry{outside("two", 2, direct), encrypting("p", 2, "bad", "two"), encrypting("q", 1, "good", "one")}, ""},
		"another host":                   {direct, []catalog.Entry{outside("two", 2, to("www.example.com")), encrypting("p", 1, "bad", "two")}, ""},
		"another port":                   {direct, []catalog.Entry{outside("two", 2, on(port(81, inventory.ProtocolHTTP))), encrypting("p", 1, "bad", "two")}, ""},
		"TLS of the other one":           {direct, []catalog.Entry{outside("two", 2, on(port(80, catalog.ProtocolHTTPS))), encrypting("p", 1, "bad", "two")}, ""},
		"TLS":                            {on(port(80, catalog.ProtocolHTTPS)), []catalog.Entry{outside("two", 2, direct), encrypting("p", 1, "bad", "two")}, ""},
		"requests of a deciding gateway": {direct, []catalog.Entry{outside("two", 2, direct), outside("three", 3, through), encrypting("p", 1, "bad", "two")}, "three  false"},
	} {
		policy := outside("one", 1, test.change)
		v := meshtest.Apply(append(test.entries, policy, &catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")})...).View()
		got := ""
		for _, c := range authz.EgressConflicts(v, policy) {
			got += fmt.Sprint(c.Winner.Name, " ", c.Encryption.Name, " ", c.Unusable)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
