package mirror

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// policiesOfBenchmark is the number of policies, and their number in each namespace.
const policiesOfBenchmark, perNamespace = 10_000, 100

// manyPolicies returns a mirror in which all policies of many namespaces were assessed.
func manyPolicies() (*Mirror, []catalog.Entry) {
	m, policies := New(), []catalog.Entry{}
	add := func(entry catalog.Entry) { m.Apply([]catalog.Change{catalog.Set(entry)}) }
	for i := range policiesOfBenchmark {
		namespace := fmt.Sprintf("n%d", i/perNamespace)
		name := Name(namespace, fmt.Sprintf("p%d", i))
		if i%perNamespace == 0 {
			add(&catalog.Namespace{Name: namespace, Monitored: true})
		}
		add(&catalog.ServiceAccount{Name: name, UID: "uid"})
		add(Service(namespace, name.Name, name.Name, "", 80, inventory.ProtocolHTTP))
		policy := &retry.Policy{Name: name, Created: time.Unix(int64(i), 0), Source: identity.ServiceAccount(name), Destinations: []entity.Name{name}}
		policies = append(policies, policy)
		add(policy)
	}
	m.apply(m.take())
	assessAll(m, policies)
	return m, policies
}

func assessAll(m *Mirror, policies []catalog.Entry) {
	for _, policy := range policies {
		m.Read(policy.Ref(), func(v *catalog.View) { assess.Mesh{View: v, Namespace: "osm-system"}.Policy(policy) })
	}
}

// BenchmarkMeshConfigChange changes a setting that all policies depend on. Between the assessments, nothing is held.
func BenchmarkMeshConfigChange(b *testing.B) {
	m, policies := manyPolicies()
	enabled, applying := false, time.Duration(0)
	for b.Loop() {
		enabled = !enabled
		m.Apply([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: "osm-system", RetryPolicies: enabled})})
		start := time.Now()
		affected := m.apply(m.take())
		applying += time.Since(start)
		if len(affected) != len(policies) {
			b.Fatalf("%d of %d policies are affected", len(affected), len(policies))
		}
		assessAll(m, policies)
	}
	b.ReportMetric(float64(applying.Microseconds())/float64(b.N), "µs-locked/op")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(policies)), "µs/policy")
}

// BenchmarkReadinessOfAPod changes what no policy depends on.
func BenchmarkReadinessOfAPod(b *testing.B) {
	m, _ := manyPolicies()
	ready := false
	for b.Loop() {
		ready = !ready
		slice := &inventory.EndpointSlice{Name: Name("n0", "p0"), Service: Name("n0", "p0"), Endpoints: []inventory.Endpoint{{Ready: ready}}}
		m.Apply([]catalog.Change{catalog.Set(slice)})
		if affected := m.apply(m.take()); len(affected) > 0 {
			b.Fatalf("policies are affected: %v", affected)
		}
	}
}
