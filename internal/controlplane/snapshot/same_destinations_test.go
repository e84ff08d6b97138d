package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// toService returns a scope with one destination, and edits it.
func toService(service string, edit func(*scope.Scope)) *scope.Scope {
	name := meshtest.Name("a", service)
	s := &scope.Scope{Common: scope.Common{Clusters: []scope.Cluster{{Service: name, TargetPort: 80}}}, Sidecar: scope.Sidecar{Outbound: []scope.Outbound{{Service: name, Port: 80}}}}
	edit(s)
	return s
}

func unchanged(*scope.Scope) {}

// TestSameDestinationsAreFound checks for which scopes the resources of another scope are used: those with equal destinations.
func TestSameDestinationsAreFound(t *testing.T) {
	same := sameDestinations{}
	made := []encoded{{name: "made before"}}
	same.add(transition{onlyDestinations: true, after: toService("server", unchanged)}, made)
	for name, test := range map[string]struct {
		step transition
		want bool
	}{
		"equal destinations":     {transition{onlyDestinations: true, after: toService("server", unchanged)}, true},
		"more than destinations": {transition{after: toService("server", unchanged)}, false},
		"no destinations":        {transition{onlyDestinations: true, after: &scope.Scope{}}, false},
		"another Service":        {transition{onlyDestinations: true, after: toService("other", unchanged)}, false},
		"another port":           {transition{onlyDestinations: true, after: toService("server", func(s *scope.Scope) { s.Outbound[0].Port = 81 })}, false},
		"another target port":    {transition{onlyDestinations: true, after: toService("server", func(s *scope.Scope) { s.Clusters[0].TargetPort = 81 })}, false},
		"another TLS version":    {transition{onlyDestinations: true, after: toService("server", func(s *scope.Scope) { s.TLS.MinVersion = "TLSv1_3" })}, false},
		"other policies of the client": {transition{onlyDestinations: true, after: toService("server", func(s *scope.Scope) {
			s.Retries = []scope.Retry{{Service: meshtest.Name("a", "server")}}
		})}, false},
	} {
		if got := same.find(test.step); (got != nil) != test.want {
			t.Errorf("%s: the resources of another scope are used: %t, want %t", name, got != nil, test.want)
		}
	}
}

// TestSameDestinationsAreBounded checks what is kept: what was translated, and few versions for each Service.
func TestSameDestinationsAreBounded(t *testing.T) {
	same := sameDestinations{}
	versions := func() int { return len(same[meshtest.Name("a", "server")]) }
	step := func(port int) transition {
		return transition{onlyDestinations: true, after: toService("server", func(s *scope.Scope) { s.Outbound[0].Port = uint16(port) })}
	}
	whole, known, empty := step(1), step(2), transition{onlyDestinations: true, after: &scope.Scope{}}
	whole.onlyDestinations, known.known = false, []encoded{{name: "known"}}
	for name, ignored := range map[string]transition{"a scope with more than destinations": whole, "resources of another scope": known, "a scope without destinations": empty} {
		if same.add(ignored, nil); len(same) > 0 {
			t.Errorf("%s is kept", name)
		}
	}
	for i := range maxSameDestinations + 2 {
		same.add(step(i), nil)
		if want := min(i+1, maxSameDestinations); versions() != want {
			t.Errorf("after %d versions, %d are kept, want %d", i+1, versions(), want)
		}
	}
}

// TestSameDestinationsOfAnyIdentity checks that clients differ in their destinations only.
func TestSameDestinationsOfAnyIdentity(t *testing.T) {
	one, other := toService("server", unchanged), toService("server", func(s *scope.Scope) {
		s.Key.Identity, s.Key.Services, s.Key.Ports = meshtest.SA("a", "client"), "a/client", "a/client/http=80"
		s.Inbound, s.DeniedPorts, s.Ingress, s.Limited = []scope.Inbound{{}}, 1, []scope.Ingress{{}}, []entity.Ref{{}}
	})
	if haveSameDestinations(one, other) {
		t.Error("two clients with other names and ports are equal in all fields")
	}
	if !haveSameDestinations(ofAnyIdentity(one), ofAnyIdentity(other)) {
		t.Error("the destinations of two clients with other names and ports differ")
	}
}

// TestSameDestinationsAreKeptDuringABatch changes the Service of two clients. The resources are kept for the second one, and not for later changes.
func TestSameDestinationsAreKeptDuringABatch(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	second := meshtest.Pod("a", "second", "second", "second", "10.0.0.3")
	h := newSyncedHarness(append(entries, second, accountOf(second),
		meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, client.Identity(), second.Identity()))...)
	streams := []*Stream{h.connect(t, client), h.connect(t, second)}
	other := meshtest.Service("a", "other", "server", "10.96.0.7", 80, inventory.ProtocolHTTP)
	h.apply(other, meshtest.Slice(other.Name, server))
	kept, versions := 0, 0
	h.store.config.Now = func() time.Time {
		kept = max(kept, len(h.store.same))
		for _, list := range h.store.same {
			versions = max(versions, len(list))
		}
		return h.now
	}
	h.apply(meshtest.Service("a", "other", "server", "10.96.0.8", 80, inventory.ProtocolHTTP))
	if kept != 1 || versions != 1 || len(h.store.same) != 0 {
		t.Errorf("during the change, the destinations of %d Services in %d versions are kept, and afterwards of %d; want one version of one, and none", kept, versions, len(h.store.same))
	}
	for _, stream := range streams {
		if got := fmt.Sprint(h.scopeOf(stream.scope.Load()).Outbound[0].Addresses); got != "[10.96.0.8]" {
			t.Errorf("%s has the address %s of the Service", stream.peer.Pod, got)
		}
	}
}
