package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// TestListenersOfOneNamespaceAreBounded checks that a namespace cannot fill the ingress gateway with listeners, and that those in service stay.
func TestListenersOfOneNamespaceAreBounded(t *testing.T) {
	var many []catalog.GatewayListener
	for i := range 70 {
		many = append(many, http(fmt.Sprint("l", i), fmt.Sprintf("l%d.example", i)))
	}
	many[69] = claimed(many[69], 1)
	result := gateway.Resolve(mesh(gatewayOf("web", many...), neighbour("other", http("a", "a.example"))))
	accepted := 0
	for i, l := range result.Gateways[1].Listeners {
		switch {
		case l.Accepted.OK:
			accepted++
		case l.Accepted.Reason != "TooManyListeners" || !strings.Contains(l.Accepted.Message, "namespace shop have more than 64 listeners"):
			t.Errorf("listener %d has %+v", i, l.Accepted)
		}
	}
	if accepted != 64 || !result.Gateways[1].Listeners[69].Accepted.OK || !result.Gateways[0].Listeners[0].Accepted.OK {
		t.Errorf("%d listeners are accepted, want 64 with the one that was first, and that of the other namespace", accepted)
	}
}

// TestCertificatesOfOneNamespaceAreBounded checks that a namespace cannot make the control plane read Secrets without end, and that other namespaces and
// listeners keep theirs.
func TestCertificatesOfOneNamespaceAreBounded(t *testing.T) {
	own := entity.Name{Namespace: shop, Name: "tls"}
	var flood []entity.Name
	for i := range 300 {
		flood = append(flood, entity.Name{Namespace: shop, Name: fmt.Sprintf("s%03d", i)})
	}
	v := mesh(gatewayOf("a", https("first", "first.example", own), https("flood", "flood.example", flood...), https("again", "again.example", own), https("mixed", "mixed.example", flood[299], own)),
		neighbour("b", https("a", "a.example", entity.Name{Namespace: other, Name: "tls"})))
	if got := len(gateway.Certificates(v)); got != 256+1 {
		t.Errorf("%d Secrets are read, want 256 and that of the other namespace", got)
	}
	result := gateway.Resolve(v)
	listeners := result.Gateways[1].Listeners
	if got := listeners[1].ResolvedRefs; got.OK || got.Reason != "TooManyCertificates" || !strings.Contains(got.Message, "more than 256 Secrets") {
		t.Errorf("the flood has %+v", got)
	}
	if mixed := listeners[3]; !mixed.Served || mixed.ResolvedRefs.Reason != "TooManyCertificates" {
		t.Errorf("a listener with a Secret too many and its own has %+v", mixed)
	}
	for _, l := range []gateway.ListenerStatus{listeners[0], listeners[2], result.Gateways[0].Listeners[0]} {
		if !l.Served || !l.ResolvedRefs.OK {
			t.Errorf("listener %s has %+v", l.Name, l.ResolvedRefs)
		}
	}
}
