package assess

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const meshNamespace = "osm-system"

// words are the names of Services, pods and their labels and accounts.
var words = []string{"one", "two", "three"}

// entries are the entries of a mesh.
type entries map[entity.Ref]catalog.Entry

// drawPolicies draws a mesh in which every client may call every Service, so that each policy is about existing traffic.
func drawPolicies(t *rapid.T) entries {
	m := entries{}
	add := func(entry catalog.Entry) { m[entry.Ref()] = entry }
	add(&catalog.Settings{Namespace: meshNamespace, Permissive: true, RetryPolicies: true, IngressBackends: true, EgressPolicies: true})
	for _, namespace := range []string{"a", "b"} {
		add(&catalog.Namespace{Name: namespace, Monitored: true, EgressGateway: rapid.IntRange(0, 4).Draw(t, "requires the egress gateway") == 0})
		for i, name := range words {
			address := map[string]string{"a": "10.0.1.", "b": "10.0.2."}[namespace] + string(rune('1'+i))
			pod := Pod(namespace, name, name, name, address)
			pod.Labels["tier"] = "web"
			app := rapid.SampledFrom([]string{name, name, "one"}).Draw(t, "selected")
			service := Service(namespace, name, app, strings.Replace(address, "10.0.", "10.96.", 1), 80, inventory.ProtocolHTTP)
			add(pod)
			add(service)
			add(Slice(service.Name, Pod(namespace, app, app, app, strings.TrimSuffix(address, address[len(address)-1:])+string(rune('1'+slices.Index(words, app))))))
			add(&catalog.ServiceAccount{Name: pod.Name, UID: "uid"})
			add(Group(namespace, name, "/"+name))
		}
	}
	for _, policy := range Exclusive().Draw(t, "policies") {
		add(policy)
	}
	return m
}

// without returns the mesh without some policies.
func (m entries) without(refs ...entity.Ref) entries {
	left := maps.Clone(m)
	for _, ref := range refs {
		delete(left, ref)
	}
	return left
}

func (m entries) catalog() *catalog.Catalog {
	return Apply(slices.Collect(maps.Values(m))...)
}

// exclusive returns the policies of which one can make another one ineffective, sorted.
func (m entries) exclusive() []entity.Ref {
	var refs []entity.Ref
	for ref, entry := range m {
		if _, aged := entry.(catalog.Aged); aged {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, entity.Ref.Compare)
	return refs
}

// needs reports whether a sidecar or a flow would change without a policy.
func (m entries) needs(t *rapid.T, ref entity.Ref) bool {
	before, after := m.catalog(), m.catalog()
	touched := after.Apply([]catalog.Change{{Ref: ref}})
	changes, err := compare.Meshes(compare.Subject{TrustDomain: "cluster.local", Workloads: map[entity.Name]string{}},
		compare.Mesh{Catalog: before, Entries: m}, compare.Mesh{Catalog: after, Entries: m.without(ref)}, touched)
	if err != nil {
		t.Fatal(err)
	}
	return !changes.Empty()
}

// conflicts returns the findings about other policies that decide instead of a policy.
func (m entries) conflicts(ref entity.Ref) (found []finding.Finding) {
	for _, f := range (Mesh{View: m.catalog().View(), Namespace: meshNamespace}).Policy(m[ref]) {
		if f.Cause == finding.Conflict && !f.Warning {
			found = append(found, f)
		}
	}
	return found
}

func hasWinner(winner entity.Ref, found []finding.Finding) bool {
	return slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Winner == winner })
}

// TestPoliciesInConflictHaveNoEffect checks that removing a policy changes nothing if others decide about all that it says.
func TestPoliciesInConflictHaveNoEffect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawPolicies(t)
		for _, ref := range m.exclusive() {
			found := slices.DeleteFunc(m.conflicts(ref), func(f finding.Finding) bool { return strings.Contains(f.Message, "in common") }) // on some pods
			if len(found) > 0 && len(found) == claims(m[ref]) && m.needs(t, ref) {
				t.Errorf("%v has an effect, and the findings are %v", ref, found)
			}
		}
	})
}

// claims returns about how many things only one policy can decide; 0 if that is not counted. Sidecars have the routes of TrafficSplits with matches, even
// if no request gets to them.
func claims(entry catalog.Entry) int {
	switch policy := entry.(type) {
	case *catalog.TrafficSplit:
		if len(policy.Matches) == 0 {
			return 1
		}
	case *retry.Policy:
		return len(policy.Destinations)
	case *ingressbackend.Policy:
		return len(policy.Backends)
	case *upstream.Policy, *telemetry.Policy, *extauthz.Policy:
		return 1
	}
	return 0
}

// TestWinnersAreNamed checks that a policy without effect names the policy without which it would have one.
func TestWinnersAreNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawPolicies(t)
		for _, ref := range m.exclusive() {
			if m.needs(t, ref) {
				continue
			}
			for _, winner := range m.exclusive() {
				displaces := winner != ref && displaces(m[winner], m[ref]) && m.needs(t, winner) && m.without(winner).needs(t, ref)
				if found := m.conflicts(ref); displaces && !hasWinner(winner, found) {
					t.Errorf("%v has no effect because of %v, and the findings are %v: %+v %+v", ref, winner, found, m[ref], m[winner])
				}
			}
		}
	})
}

// displaces reports whether a policy can make another one ineffective by its precedence. Other reasons are no conflicts: both allow the same, or a
// selector is more specific, or expressions of a path match the same requests.
func displaces(winner, loser catalog.Entry) bool {
	if !precedes(winner, loser) {
		return false
	}
	switch policy := loser.(type) {
	case *catalog.Egress:
		return false // TestEgressesNameTheirWinners
	case *telemetry.Policy:
		return includes(policy.Selector, winner.(*telemetry.Policy).Selector)
	case *extauthz.Policy:
		return includes(policy.Selector, winner.(*extauthz.Policy).Selector)
	case *catalog.TrafficSplit:
		other := winner.(*catalog.TrafficSplit)
		return len(policy.Matches) == 0 && len(other.Matches) == 0 ||
			slices.ContainsFunc(policy.Matches, func(group string) bool { return slices.Contains(other.Matches, group) })
	}
	return true
}

// precedes reports whether a policy applies before another one of its kind.
func precedes(winner, loser catalog.Entry) bool {
	first, second := winner.(catalog.Aged), loser.(catalog.Aged)
	if winner.Ref().Kind != loser.Ref().Kind {
		return loser.Ref().Kind == upstream.Backpressure
	}
	return cmp.Or(first.Age().Compare(second.Age()), winner.Ref().Compare(loser.Ref())) < 0
}

// includes reports whether a selector has all labels of another one, and both or none have any.
func includes(selector, other map[string]string) bool {
	for key, value := range other {
		if selector[key] != value {
			return false
		}
	}
	return (len(selector) > 0) == (len(other) > 0)
}

// TestEgressesNameTheirWinners checks that an Egress which would allow more without another one names it.
func TestEgressesNameTheirWinners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawPolicies(t)
		for ref, entry := range m {
			policy, isEgress := entry.(*catalog.Egress)
			if !isEgress {
				continue
			}
			others := slices.DeleteFunc(m.exclusive(), func(other entity.Ref) bool { return other == ref || other.Kind != entity.KindEgress })
			calls, found := egressCalls(policy), m.conflicts(ref)
			with, alone := m.answers(calls), m.without(others...).answers(calls)
			for _, winner := range others {
				for i, without := range m.without(winner).answers(calls) {
					if isDisplaced(ref, calls[i], with[i], without, alone[i]) && !hasWinner(winner, found) {
						t.Errorf("%v would allow %+v without %v, and the findings are %v: %+v %+v", ref, calls[i], winner, found, m[ref], m[winner])
					}
				}
			}
		}
	})
}

// egressCalls are calls of the clients of an Egress to its ports, with all hosts and ranges that tests draw.
func egressCalls(policy *catalog.Egress) (calls []authz.EgressRequest) {
	addresses := []netip.Addr{netip.MustParseAddr("198.18.0.1")} // in no range
	for _, prefix := range EgressPrefixes {
		addresses = append(addresses, prefix.Addr().Next())
	}
	for _, client := range policy.Sources {
		for _, port := range policy.Ports {
			for _, address := range addresses {
				call := authz.EgressRequest{Source: client, Address: address, Port: port.Number, Protocol: inventory.ProtocolTCP}
				calls = append(calls, call)
				for _, host := range EgressHosts {
					call.Host, call.Protocol, call.Method, call.Path = host, catalog.ProtocolHTTPS, "", ""
					calls = append(calls, call)
					for _, word := range words {
						call.Protocol, call.Method, call.Path = inventory.ProtocolHTTP, "GET", "/"+word
						calls = append(calls, call)
					}
				}
			}
		}
	}
	return calls
}

// answers returns what sidecars do with some calls.
func (m entries) answers(calls []authz.EgressRequest) []authz.EgressAnswer {
	v := m.catalog().View()
	return lists.Map(calls, func(call authz.EgressRequest) authz.EgressAnswer { return authz.DecideEgress(v, call) })
}

// isDisplaced reports whether an Egress allows a call alone and without another one, but not with it. The egress gateway decides alone about requests.
func isDisplaced(policy entity.Ref, call authz.EgressRequest, with, without, alone authz.EgressAnswer) bool {
	decidedByOther := call.Protocol == inventory.ProtocolHTTP && with.Gateway && !slices.Contains(with.Policies, policy.Name.String())
	return alone.Outcome == authz.Allowed && without.Outcome == authz.Allowed && slices.Contains(without.Policies, policy.Name.String()) &&
		(with.Outcome != authz.Allowed || decidedByOther)
}
