package scope_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSecondServiceDoesNotBypassRequestRules adds a Service of the protocol tcp to the container port of an HTTP
// Service. It checks the server, the client and the explanation.
func TestSecondServiceDoesNotBypassRequestRules(t *testing.T) {
	server, elsewhere := Pod("a", "server", "server", "server", "10.0.0.1"), Pod("a", "other", "other", "server", "10.0.0.2")
	second := Service("a", "bypass", "server", "172.0.0.2", 80, inventory.ProtocolTCP)
	apart := Service("a", "apart", "other", "172.0.0.3", 80, inventory.ProtocolTCP)
	c := Apply(
		&catalog.Namespace{Name: "a", Monitored: true}, server, elsewhere,
		Service("a", "web", "server", "172.0.0.1", 80, inventory.ProtocolHTTP), second, apart,
		Slice(second.Name, server), Slice(apart.Name, elsewhere),
		Group("a", "routes", "/public"), &catalog.TCPRoute{Name: Name("a", "any")},
		Target("t", server.Identity(), []catalog.TargetRule{HTTP("routes"), {Kind: entity.KindTCPRoute, Name: "any"}}, SA("a", "client")),
	)
	s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), server))
	for _, in := range s.Inbound {
		if !in.Protocol.IsHTTP() {
			t.Errorf("port %d of %s has the protocol %s in the server", in.TargetPort, in.Service, in.Protocol)
		}
	}
	for service, want := range map[string]authz.Outcome{"bypass": authz.NotFound, "apart": authz.Allowed} {
		verdict := authz.Decide(c.View(), authz.Request{Source: SA("a", "client"), Service: Name("a", service), Port: 80, Method: "GET", Path: "/secret"})
		if got := verdict.Answers[0].Outcome; got != want {
			t.Errorf("a request through %s is %v, want %v", service, got, want)
		}
	}
	// The protocol follows when the Services no longer share a pod.
	c.Apply([]catalog.Change{catalog.Set(Service("a", "web", "other", "172.0.0.1", 80, inventory.ProtocolHTTP))})
	if got := authz.EffectiveProtocol(c.View(), second, second.Ports[0]); got != inventory.ProtocolTCP {
		t.Errorf("the protocol is %s after the HTTP Service has left the pods", got)
	}
	if got := authz.EffectiveProtocol(c.View(), apart, apart.Ports[0]); got != inventory.ProtocolHTTP {
		t.Errorf("the protocol is %s after the HTTP Service has come to the pods", got)
	}
}
