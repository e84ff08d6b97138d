package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestExpiredTokens serves streams until their tokens expire. An Extend of the peer prolongs that.
func TestExpiredTokens(t *testing.T) {
	for name, serve := range map[string]func(*Stream, context.Context, delta.Client) error{
		"a sidecar": (*Stream).Serve, "a client of undivided responses": (*Stream).ServeUndivided,
	} {
		for _, extends := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				entries := twoServices()
				client, _ := podsOf(entries)
				h := newSyncedHarness(entries...)
				h.clock = time.Now
				peer := peerOf(client)
				peer.Expiry = time.Now().Add(time.Minute)
				if extends {
					peer.Extend = func(context.Context) time.Time { return time.Now().Add(time.Hour) }
				}
				stream, err := h.tryConnect(peer)
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					ended <- serve(stream, ctx, clientOf(ctx, nil, func(*delta.Response) error { return nil }))
				}()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if hasEnded := len(ended) > 0; hasEnded == extends {
					t.Errorf("%s whose token is extended: %t; the stream has ended: %t", name, extends, hasEnded)
				}
				want := delta.ErrExpired
				if extends {
					want = context.Canceled
				}
				cancel()
				if err := <-ended; !errors.Is(err, want) {
					t.Errorf("%s whose token is extended: %t; the stream has ended with %v, want %v", name, extends, err, want)
				}
			})
		}
	}
}

// TestServeSendsTheReadinessCluster checks which clients get the cluster without which an Envoy is ready.
func TestServeSendsTheReadinessCluster(t *testing.T) {
	for name, want := range map[string]bool{"a sidecar": true, "a client of undivided responses": false} {
		synctest.Test(t, func(t *testing.T) {
			entries := twoServices()
			client, _ := podsOf(entries)
			h := newSyncedHarness(entries...)
			h.clock = time.Now
			stream := h.connect(t, client)
			serve := stream.ServeUndivided
			if want {
				serve = stream.Serve
			}
			has := false
			requests, ended := make(chan *discovery.DeltaDiscoveryRequest), make(chan error, 1)
			go func() {
				ended <- serve(t.Context(), clientOf(t.Context(), requests, func(r *delta.Response) error {
					for _, resource := range r.Resources {
						has = has || resource.Name() == h.store.readinessCluster.Name()
					}
					return nil
				}))
			}()
			requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()}
			synctest.Wait()
			close(requests)
			if err := <-ended; !errors.Is(err, io.EOF) || has != want {
				t.Errorf("%s: error %v, and it gets the readiness cluster: %t; want %t", name, err, has, want)
			}
		})
	}
}

// TestStreamsReportTheirEnd checks what the owner of a connection can see of its stream.
func TestStreamsReportTheirEnd(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	aborted := 0
	p := &pendingStream{peer: peerOf(client), abort: func() { aborted++ }, result: make(chan connectResult, 1)}
	h.store.addPending(p)
	h.run()
	stream := (<-p.result).stream
	if stream.Abort(); aborted != 1 {
		t.Errorf("the connection is aborted %d times, want once", aborted)
	}
	select {
	case <-stream.Removed():
		t.Error("a connected stream counts as removed")
	default:
	}
	stream.Close()
	h.run()
	select {
	case <-stream.Removed():
	default:
		t.Error("a closed stream does not count as removed")
	}
}

// TestNACKsOfDroppedScopesAreIgnored rejects a resource after the scope of the stream was dropped.
func TestNACKsOfDroppedScopesAreIgnored(t *testing.T) {
	h, s := newQuarantineHarness(t)
	rejected := quarantine.RejectedResource{Type: resourcetype.Routes, Name: inboundRoutes, Hash: contentOf(s.stream, resourcetype.Routes, inboundRoutes).Hash()}
	s.close()
	h.advance(idleTime)
	s.stream.HandleNACK(rejected)
	h.run()
	h.fireTimers()
	if got := h.rejections(); len(got) != 0 {
		t.Errorf("quarantined are %v, want none", got)
	}
	if got := h.quarantineRecords(); got != 0 {
		t.Errorf("the quarantine has records of %d scopes, want none", got)
	}
}

// quarantineRecords returns of how many scopes the quarantine has records.
func (h *harness) quarantineRecords() int { return h.sizes()["Store.quarantine.scopes"] }

// TestDroppedScopesLeaveNoRecords drops scopes with a rejection that is not decided, and with one that no policy causes.
func TestDroppedScopesLeaveNoRecords(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	sibling := meshtest.Pod("a", "sibling", "server", "server", "10.0.0.8")
	h := newSyncedHarness(append(entries, sibling)...)
	rejecting := newFakeProxy(h, server)
	h.connect(t, sibling)
	rejecting.rejectIf = contains("/x")
	rejecting.open(t)
	rejecting.sync(t)
	if got := h.quarantineRecords(); got != 1 {
		t.Fatalf("before the other pod has answered, the quarantine has records of %d scopes, want 1", got)
	}
	for _, pod := range []*inventory.Instance{server, sibling} {
		moved := *pod
		moved.Metrics = true
		h.apply(&moved)
	}
	if got := h.quarantineRecords(); got != 0 {
		t.Errorf("after both pods have moved to another scope, the quarantine has records of %d scopes, want none", got)
	}

	other, s := newQuarantineHarness(t)
	s.rejectIf = func(res *discovery.Resource) bool { return res.GetName() == inboundRoutes }
	other.apply(meshtest.Group("a", "routes", "/y"))
	for range 10 {
		s.sync(t)
		other.fireTimers()
	}
	s.close()
	if before := other.quarantineRecords(); before != 1 {
		t.Fatalf("after a rejection without a cause, the quarantine has records of %d scopes, want 1", before)
	}
	if other.advance(idleTime); other.quarantineRecords() != 0 {
		t.Errorf("after the scope was dropped, the quarantine has records of %d scopes, want none", other.quarantineRecords())
	}
}

// TestStreamsFollowTheNamespaceOfTheMesh moves the namespace of the mesh while a pod is connected. A Telemetry there applies to it.
func TestStreamsFollowTheNamespaceOfTheMesh(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, server)
	h.apply(&catalog.Settings{Namespace: "osm-system"})
	telemetry := &telemetry.Policy{Name: meshtest.Name("osm-system", "log"), Text: "format"}
	if h.apply(telemetry); stream.scope.Load().key.Telemetry != telemetry.Name {
		t.Errorf("the pod has the Telemetry %q, want that of the namespace of the mesh", stream.scope.Load().key.Telemetry)
	}
}

// TestMovedStreams moves one of two streams to another scope. Both get later changes, and the earlier scope stays for the other one.
func TestMovedStreams(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	sibling := meshtest.Pod("a", "sibling", "server", "server", "10.0.0.8")
	h := newSyncedHarness(append(entries, sibling)...)
	moving, staying := h.connect(t, server), h.connect(t, sibling)
	before := staying.scope.Load()
	moved := *server
	moved.Metrics = true
	h.apply(&moved)
	if moving.scope.Load() == before || staying.scope.Load() != before || h.store.scopes[before.key] != before {
		t.Fatal("the wrong stream has moved, or the earlier scope is gone")
	}
	for _, stream := range []*Stream{moving, staying} {
		takeChanges(stream)
	}
	h.apply(meshtest.Group("a", "routes", "/changed"))
	for name, stream := range map[string]*Stream{"moved": moving, "other": staying} {
		if got := takeChanges(stream)["RDS"]; len(got) != 1 {
			t.Errorf("the %s stream gets the routes %v of a change, want one configuration", name, got)
		}
	}
	moving.Close()
	h.run()
	h.advance(idleTime)
	takeChanges(staying)
	h.rotate(server.Identity())
	if got := takeChanges(staying)["SDS"]; len(got) != 1 || got[0] != envoy.ServiceCertName {
		t.Errorf("after the scope of the moved stream was dropped, the other stream gets the secrets %v of a rotation, want its certificate", got)
	}
}

// TestMovedStreamsFollowTheirNewServices lets a new Service with a named port select a connected pod, and changes the port.
func TestMovedStreamsFollowTheirNewServices(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	server.Ports = map[string]uint16{"one": 8001, "two": 8002}
	h := newSyncedHarness(entries...)
	stream := h.connect(t, server)
	for _, port := range []string{"one", "two"} {
		service := meshtest.Service("a", "named", "server", "10.96.0.9", 90, inventory.ProtocolHTTP)
		service.Ports[0].TargetPort, service.Ports[0].TargetName = 0, port
		h.apply(service)
		if got, want := stream.scope.Load().key.Ports, fmt.Sprintf("a/named/=%d", server.Ports[port]); got != want {
			t.Errorf("with the target port %s, the scope has the named ports %q, want %q", port, got, want)
		}
	}
}

// TestProxiesThatLeaveDecideNothing lets one of three pods reject a policy, and the others disconnect. They do not make it a majority.
func TestProxiesThatLeaveDecideNothing(t *testing.T) {
	h, rejecting := newQuarantineHarness(t)
	var siblings []*fakeProxy
	for i := range 2 {
		pod := meshtest.Pod("a", fmt.Sprint("server-", i), "server", "server", fmt.Sprint("10.0.1.", i+1))
		h.apply(pod)
		sibling := newFakeProxy(h, pod)
		sibling.open(t)
		sibling.sync(t)
		siblings = append(siblings, sibling)
	}
	h.apply(meshtest.Group("a", "routes", "/bad"))
	for _, p := range append(siblings, rejecting) {
		p.sync(t)
	}
	h.fireTimers()
	for _, sibling := range siblings {
		sibling.close()
	}
	if got := h.rejections(); len(got) != 0 {
		t.Errorf("after the pods that have the policy have disconnected, quarantined are %v; want none", got)
	}
}

// TestEndedStreamsAreNotBoundAgain binds a stream again that has ended during the same change. Nothing of it must remain.
func TestEndedStreamsAreNotBoundAgain(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, client)
	stream.Close()
	h.run()
	h.store.rebind(stream)
	if got := len(h.store.streamIndex.Dependencies); got != 0 {
		t.Errorf("%d streams have dependencies, want none", got)
	}
}
