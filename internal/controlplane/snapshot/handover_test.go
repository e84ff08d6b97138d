package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// tcpMesh returns a mesh whose server has a TCP port that two clients may use, and a target that allows them.
func tcpMesh() (entries []catalog.Entry, server *inventory.Instance) {
	server = meshtest.Pod("a", "server", "server", "server", "10.0.0.2")
	service := meshtest.Service("a", "server", "server", "10.96.0.1", 9000, inventory.ProtocolTCP)
	return []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{}, server, accountOf(server), service, meshtest.Slice(service.Name, server),
		&catalog.TCPRoute{Name: meshtest.Name("a", "port"), Ports: []uint16{9000}},
		tcpTarget(server, "client", "guest"),
	}, server
}

// tcpTarget allows clients.
func tcpTarget(server *inventory.Instance, clients ...string) *catalog.TrafficTarget {
	target := meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.TCP("port")})
	for _, client := range clients {
		target.Sources = append(target.Sources, meshtest.SA("a", client))
	}
	return target
}

// handOver returns the two Envoys of the server of tcpMesh. The earlier one drains.
func handOver(t *testing.T) (h *harness, draining, serving *fakeProxy) {
	t.Helper()
	entries, server := tcpMesh()
	h = newSyncedHarness(entries...)
	draining = newEnvoy(t, h, server, 1)
	draining.sync(t)
	serving = newEnvoy(t, h, server, 2)
	serving.sync(t)
	draining.envoy.Drain()
	return h, draining, serving
}

// inForce returns a listener that the connections of an Envoy are under; nil for none.
func (p *fakeProxy) inForce(name string) *anypb.Any { return p.envoy.Listeners()[name] }

// removals counts the responses that removed a listener.
func (p *fakeProxy) removals(name string) int {
	count := 0
	for _, line := range p.log {
		if strings.HasPrefix(line, "LDS") && strings.Contains(line[strings.LastIndex(line, "-["):], name) {
			count++
		}
	}
	return count
}

// TestHandover_RevocationRemovesTheListener withdraws a permission while an Envoy drains.
func TestHandover_RevocationRemovesTheListener(t *testing.T) {
	h, draining, serving := handOver(t)
	h.apply(tcpTarget(draining.pod, "client", "guest", "third"))
	draining.sync(t)
	serving.sync(t)
	if draining.inForce(envoy.InboundListener) == nil {
		t.Fatal("a permission that is added cuts connections")
	}
	revoked := tcpTarget(draining.pod, "client", "third")
	h.apply(revoked)
	serving.sync(t)
	if status, err := h.store.policyStatus(revoked.Ref()); err != nil || !status.CompletedAt.IsZero() {
		t.Errorf("the policy is in force before the draining Envoy has removed its listener: %+v, %v", status, err)
	}
	draining.sync(t)
	if draining.inForce(envoy.InboundListener) != nil || draining.removals(envoy.InboundListener) != 1 {
		t.Errorf("the listener is not removed, or not once:\n%s", strings.Join(draining.log, "\n"))
	}
	if serving.inForce(envoy.InboundListener) == nil || serving.removals(envoy.InboundListener) > 0 {
		t.Error("the serving Envoy loses its listener")
	}
	if status, err := h.store.policyStatus(revoked.Ref()); err != nil || status.CompletedAt.IsZero() {
		t.Errorf("the policy is not in force: %+v, %v", status, err)
	}

	// Neither further changes nor a new stream bring it back, or remove it again.
	h.apply(tcpTarget(draining.pod, "third"))
	draining.sync(t)
	draining.close()
	draining.open(t)
	draining.sync(t)
	if _, has := draining.envoy.Versions()[resourcetype.Listeners.URL()][envoy.InboundListener]; has || draining.removals(envoy.InboundListener) != 1 {
		t.Errorf("the listener is sent or removed again:\n%s", strings.Join(draining.log, "\n"))
	}

	// Nor does a new stream of the other Envoy.
	serving.close()
	h.now = h.now.Add(time.Second)
	draining.flush(t)
	serving.open(t)
	serving.sync(t)
	draining.sync(t)
	if _, has := draining.envoy.Versions()[resourcetype.Listeners.URL()][envoy.InboundListener]; has {
		t.Error("the listener is sent again while the other Envoy connects")
	}
}

// TestHandover_WaitsUntilTheEnvoyDrains revokes a permission when the new Envoy has its configuration and has not taken over.
func TestHandover_WaitsUntilTheEnvoyDrains(t *testing.T) {
	entries, server := tcpMesh()
	h := newSyncedHarness(entries...)
	earlier := newEnvoy(t, h, server, 1)
	earlier.sync(t)
	later := newEnvoy(t, h, server, 2)
	later.sync(t)
	h.apply(tcpTarget(server, "client"))
	exchange := func() {
		for h.run(); earlier.deliverRequest(t) || earlier.deliverResponse(t, false); h.run() {
			earlier.flush(t)
		}
	}
	earlier.flush(t)
	exchange()
	if earlier.inForce(envoy.InboundListener) == nil || earlier.stream.delta.HasAcknowledged(h.now) {
		t.Error("the listener is removed, or the change counts as acknowledged, before it is known what the Envoy applies")
	}
	later.close() // the handover has failed
	earlier.flush(t)
	exchange()
	if earlier.removals(envoy.InboundListener) > 0 || !earlier.stream.delta.HasAcknowledged(h.now) {
		t.Errorf("the Envoy that serves is not updated:\n%s", strings.Join(earlier.log, "\n"))
	}
	var listener listenerv3.Listener
	if err := earlier.inForce(envoy.InboundListener).UnmarshalTo(&listener); err != nil || len(envoy.DrainMarks(&listener)) != 1 {
		t.Errorf("the connections of the port are not drained: %v", err)
	}
}

// TestHandover_UpdateOnItsWay revokes a permission just before the handover. The Envoy gets the listener after its drain began.
func TestHandover_UpdateOnItsWay(t *testing.T) {
	for _, reconnects := range []bool{false, true} {
		t.Run(fmt.Sprintf("reconnects %t", reconnects), func(t *testing.T) {
			entries, server := tcpMesh()
			h := newSyncedHarness(entries...)
			earlier := newEnvoy(t, h, server, 1)
			earlier.sync(t)
			later := newEnvoy(t, h, server, 2)
			h.apply(tcpTarget(server, "client"))
			for earlier.flush(t); len(earlier.toEnvoy) > 0 && !strings.HasPrefix(describe(earlier.toEnvoy[0]), "LDS"); earlier.flush(t) {
				earlier.deliverResponse(t, false)
				for earlier.deliverRequest(t) {
				}
			}
			later.sync(t)
			earlier.envoy.Drain()
			if !earlier.deliverResponse(t, false) {
				t.Fatal("the listener is not on its way")
			}
			if reconnects { // the answer is lost
				earlier.close()
				earlier.open(t)
			}
			earlier.sync(t)
			if earlier.inForce(envoy.InboundListener) != nil {
				t.Errorf("the listener that the Envoy did not update is not removed:\n%s", strings.Join(earlier.log, "\n"))
			}
		})
	}
}

// TestHandover_EarlierEnvoyConnectsFirst starts a replica whose first stream is that of the Envoy that drains. A permission was revoked meanwhile.
func TestHandover_EarlierEnvoyConnectsFirst(t *testing.T) {
	_, draining, serving := handOver(t)
	entries, server := tcpMesh()
	restarted := newSyncedHarness(append(entries[:len(entries)-1], tcpTarget(server, "client"))...)
	again := func(p *fakeProxy) {
		p.harness = restarted
		p.open(t)
		p.sync(t)
	}
	again(draining)
	restarted.now = restarted.now.Add(20 * time.Second)
	again(serving)
	draining.sync(t)
	if draining.inForce(envoy.InboundListener) != nil {
		t.Errorf("the listener is not removed:\n%s", strings.Join(draining.log, "\n"))
	}
}

// TestHandover_LaterEnvoyIsGone ends the only stream of the later Envoy. After a while the earlier one counts as the one that serves again.
func TestHandover_LaterEnvoyIsGone(t *testing.T) {
	h, draining, serving := handOver(t)
	h.apply(tcpTarget(draining.pod, "client"))
	draining.sync(t)
	serving.close()
	draining.flush(t)
	if draining.deadline.IsZero() {
		t.Fatal("the stream does not wait for the later Envoy")
	}
	h.now = draining.deadline
	draining.sync(t)
	versions := draining.envoy.Versions()
	if _, has := versions[resourcetype.Listeners.URL()][envoy.InboundListener]; !has {
		t.Errorf("the listener is not sent again:\n%s", strings.Join(draining.log, "\n"))
	}
	if _, marked := versions[resourcetype.Clusters.URL()][names.DrainingCluster]; marked {
		t.Error("the Envoy is still marked as one that drains")
	}
}

// TestHandover_OtherReplica connects the later Envoy to another replica.
func TestHandover_OtherReplica(t *testing.T) {
	entries, server := tcpMesh()
	h, other := newSyncedHarness(entries...), newSyncedHarness(entries...)
	poll := func() {
		h.store.SetEpochsElsewhere(other.store.CompleteEpochs())
		h.run()
	}
	earlier := newEnvoy(t, h, server, 1)
	earlier.sync(t)
	later := newEnvoy(t, other, server, 2)
	poll()
	if earlier.stream.handover != (delta.Handover{}) {
		t.Errorf("an Envoy without configuration takes over: %+v", earlier.stream.handover)
	}
	later.sync(t)
	earlier.envoy.Drain()

	// The replica of the earlier Envoy does not know yet that it drains.
	h.apply(tcpTarget(server, "client"))
	earlier.sync(t)
	if earlier.inForce(envoy.InboundListener) == nil {
		t.Error("a listener is removed without a handover")
	}
	poll()
	earlier.sync(t)
	if earlier.inForce(envoy.InboundListener) != nil {
		t.Errorf("the listener that the Envoy did not apply is not removed:\n%s", strings.Join(earlier.log, "\n"))
	}
	if epochs := h.store.CompleteEpochs(); len(epochs) > 0 {
		t.Errorf("the first Envoy of a pod is reported: %v", epochs)
	}

	// An Envoy that has moved to the other replica is recognized there.
	earlier.close()
	earlier.harness = other
	other.apply(tcpTarget(server, "client"))
	earlier.open(t)
	earlier.sync(t)
	if _, has := earlier.envoy.Versions()[resourcetype.Listeners.URL()][envoy.InboundListener]; has {
		t.Error("the listener is sent again")
	}
}

// TestHandoverListeners changes a mesh at random while an Envoy drains. What its listeners allow is allowed by those of the serving one, and a listener
// whose successor takes nothing away stays.
func TestHandoverListeners(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		probe.OnDemand = rapid.Bool().Draw(rt, "on demand")
		h := newSyncedHarness(append(twoServices(), probe, accountOf(probe), serviceRanges())...)
		h.now = h.now.Add(secretsTimeout)
		edit := func() {
			for range rapid.IntRange(0, 8).Draw(rt, "edits") {
				h.store.Apply([]catalog.Change{keepNamespace(meshtest.Change().Draw(rt, "change"))})
				h.run()
			}
		}
		edit()
		earlier := newEnvoy(t, h, probe, 1)
		earlier.sync(rt)
		later := newEnvoy(t, h, probe, 2)
		earlier.flush(rt)
		edit()
		later.sync(rt)
		earlier.envoy.Drain()
		for round := range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			before := earlier.envoy.Listeners()
			edit()
			later.sync(rt)
			earlier.sync(rt)
			checkGrants(rt, earlier, before, round == 0)
		}
	})
}

// checkGrants compares the listeners that connections of a draining Envoy are under with those of the snapshot. With exactly, no others are removed. The inbound listener may
// also be removed because of permissions, which are resources of their own.
func checkGrants(rt *rapid.T, draining *fakeProxy, before map[string]*anypb.Any, exactly bool) {
	scope, inForce := draining.stream.scope.Load(), draining.envoy.Listeners()
	grants := func(packed *anypb.Any) []envoy.Grant {
		listener := &listenerv3.Listener{}
		if err := packed.UnmarshalTo(listener); err != nil {
			rt.Fatalf("%v", err)
		}
		return envoy.ListenerGrants(listener)
	}
	for name, held := range before {
		current, exists := scope.Content(resourcetype.Listeners, name)
		if !exists {
			if inForce[name] != nil {
				rt.Fatalf("listener %s is not removed\n%s", name, strings.Join(draining.log, "\n"))
			}
			continue
		}
		message, err := (&delta.Response{Type: resourcetype.Listeners, Resources: []resource.Versioned{{Content: current, Version: current.Hash()}}}).Proto()
		if err != nil {
			rt.Fatalf("%v", err)
		}
		loses := envoy.LosesGrant(grants(held), grants(message.GetResources()[0].GetResource()))
		if loses && inForce[name] != nil {
			rt.Fatalf("listener %s allows what its successor does not\n%s", name, strings.Join(draining.log, "\n"))
		}
		if exactly && !loses && inForce[name] == nil && name != envoy.InboundListener {
			rt.Fatalf("listener %s is removed though nothing was withdrawn\n%s", name, strings.Join(draining.log, "\n"))
		}
	}
}

// TestHandover_PodWithoutSlots has no second Envoy: nothing waits for one.
func TestHandover_PodWithoutSlots(t *testing.T) {
	entries, server := tcpMesh()
	h := newSyncedHarness(entries...)
	p := newFakeProxy(h, server)
	p.open(t)
	p.sync(t)
	h.apply(tcpTarget(server, "client"))
	p.sync(t)
	if p.inForce(envoy.InboundListener) == nil || p.removals(envoy.InboundListener) > 0 {
		t.Error("the only Envoy loses its listener")
	}
	p.stream.SetSoftware(status.Software{Epoch: 5})
	h.run()
	p.sync(t)
}
