package scope_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOneNamespaceFillsTheSidecarsOfAnother checks the bound on what the TrafficTargets of one namespace put into
// the sidecars of another, that the namespace's own clients have no bound, and that explanations agree.
func TestOneNamespaceFillsTheSidecarsOfAnother(t *testing.T) {
	const services = authz.MaxCrossNamespacePorts + 5
	server := Pod("a", "server", "server", "server", "10.0.0.1")
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true},
		server, Group("a", "routes", "/x"),
		Target("t", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "client"), SA("b", "client")),
	}
	for i := range services {
		name := fmt.Sprintf("s%05d", i)
		service := Service("a", name, "server", fmt.Sprintf("172.0.%d.%d", i>>8, i&255), 80, inventory.ProtocolHTTP)
		entries = append(entries, service, Slice(service.Name, server))
	}
	strict := false
	overriding := &catalog.Namespace{Name: "a", Monitored: true, Permissive: &strict}
	for mesh, c := range map[string]*catalog.Catalog{
		"strict":                     Apply(entries...),
		"strict, like the namespace": Apply(append(entries, overriding)...),
		"permissive, with the namespace as strict": Apply(append(entries, overriding, &catalog.Settings{Permissive: true})...),
	} {
		t.Run(mesh, func(t *testing.T) { checkCrossNamespaceBound(t, c, services) })
	}
}

// checkCrossNamespaceBound checks the clients of both namespaces, of which a has a number of Services.
func checkCrossNamespaceBound(t *testing.T, c *catalog.Catalog, services int) {
	t.Helper()
	for namespace, want := range map[string]int{"a": services, "b": authz.MaxCrossNamespacePorts} {
		s := scope.Build(c.View(), trustDomain, scope.Key{Identity: SA(namespace, "client")})
		if len(s.Outbound) != want || len(s.Clusters) != want {
			t.Errorf("a client of namespace %s has %d listeners and %d clusters, want %d", namespace, len(s.Outbound), len(s.Clusters), want)
		}
		last := authz.Decide(c.View(), authz.Request{
			Source: SA(namespace, "client"), Service: Name("a", fmt.Sprintf("s%05d", services-1)), Port: 80, Method: "GET", Path: "/x",
		})
		if got := last.Answers[0].Outcome == authz.Allowed; got != (namespace == "a") {
			t.Errorf("the explanation for a client of namespace %s is %+v", namespace, last)
		}
	}
}
