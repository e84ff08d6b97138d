package snapshot

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// takeChanges returns the changed names since the last call by type. "all" means that everything may have changed.
func takeChanges(s *Stream) map[string][]string {
	got := map[string][]string{}
	list, all := s.delta.PendingChanges()
	for _, changes := range list {
		for t := range resourcetype.NumTypes {
			if names := changes[t]; len(names) > 0 {
				got[t.String()] = append(got[t.String()], names...)
			}
		}
	}
	if all {
		got["all"] = nil
	}
	// A session without subscriptions takes the changes and sends nothing.
	_, _ = s.delta.NewSession(delta.Options{}).Flush(func(*delta.Response) error { return errors.New("unexpected response") })
	return got
}

// TestChangesNotifyOnlyAffectedStreams checks which streams are notified of a change, and of which resources.
func TestChangesNotifyOnlyAffectedStreams(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, server := podsOf(entries)
	stranger := meshtest.Pod("a", "stranger", "stranger", "stranger", "10.0.0.7")
	h.apply(append(entries, stranger, accountOf(stranger))...)
	streams := map[string]*Stream{}
	for _, pod := range []*inventory.Instance{client, server, stranger} {
		streams[pod.Name.Name] = h.connect(t, pod)
		takeChanges(streams[pod.Name.Name])
	}
	second := meshtest.Pod("a", "second", "server", "server", "10.0.0.8")
	cases := []struct {
		name   string
		change []catalog.Entry
		want   map[string]map[string][]string
	}{
		{
			"endpoint",
			[]catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)},
			map[string]map[string][]string{"client": {"EDS": {"a/server|80"}}},
		},
		{
			"no difference",
			[]catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)},
			map[string]map[string][]string{},
		},
		{
			"rule",
			[]catalog.Entry{meshtest.Group("a", "routes", "/y")},
			map[string]map[string][]string{"server": {"RDS": {"rds-inbound.80|a/server"}}},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			h.apply(tc.change...)
			got := map[string]map[string][]string{}
			for name, stream := range streams {
				if changes := takeChanges(stream); len(changes) > 0 {
					got[name] = changes
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestScopesAndContentsAreShared checks that pods of one identity share a scope, that different scopes share equal contents, and
// that nothing is left after their streams have ended.
func TestScopesAndContentsAreShared(t *testing.T) {
	h := newSyncedHarness()
	one := meshtest.Pod("a", "one", "x", "one", "10.0.0.1")
	sibling := meshtest.Pod("a", "sibling", "x", "one", "10.0.0.2")
	other := meshtest.Pod("a", "other", "y", "other", "10.0.0.3")
	service := meshtest.Service("a", "s", "z", "10.96.0.1", 80, inventory.ProtocolHTTP)
	backer := meshtest.Pod("a", "backer", "z", "backer", "10.0.0.4")
	h.apply(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true},
		one, sibling, other, accountOf(one), accountOf(other), service, backer, meshtest.Slice(service.Name, backer))
	s1, s2, s3 := h.connect(t, one), h.connect(t, sibling), h.connect(t, other)
	if s1.scope.Load() != s2.scope.Load() || s1.scope.Load() == s3.scope.Load() {
		t.Error("the scope is shared by the wrong streams")
	}
	if name := "rds-outbound.80|a/s"; contentOf(s1, resourcetype.Routes, name) == nil || contentOf(s1, resourcetype.Routes, name) != contentOf(s3, resourcetype.Routes, name) {
		t.Error("two scopes have different pointers to equal route configurations")
	}
	if name := "a/s|80"; contentOf(s1, resourcetype.Endpoints, name) == nil || contentOf(s1, resourcetype.Endpoints, name) != contentOf(s3, resourcetype.Endpoints, name) {
		t.Error("two scopes have different nodes of equal endpoints")
	}
	for _, stream := range []*Stream{s1, s2, s3} {
		stream.Close()
		stream.Close()
	}
	h.run()
	h.advance(idleTime)
	left := []int{
		len(h.store.scopes), len(h.store.endpoints), len(h.store.identities), len(h.store.streams), len(h.store.Proxies()),
		len(h.store.scopeIndex.Dependents), len(h.store.endpointsIndex.Dependents), len(h.store.streamIndex.Dependents),
	}
	if slices.Max(left) > 0 {
		t.Errorf("the Store still has nodes of ended streams: %v", left)
	}
}

// TestUnusedContentsAreCollected changes one resource many times.
func TestUnusedContentsAreCollected(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, server)
	count := h.store.interner.Len
	before, versions := count(), map[resource.Version]bool{}
	for i := range 200 {
		h.apply(meshtest.Group("a", "routes", fmt.Sprint("/", i)))
		versions[contentOf(stream, resourcetype.Routes, "rds-inbound.80|a/server").Hash()] = true
	}
	if len(versions) != 200 {
		t.Fatalf("200 changes resulted in %d versions", len(versions))
	}
	deadline := time.Now().Add(10 * time.Second)
	for count() > before+5 {
		if time.Now().After(deadline) {
			t.Fatalf("the interner has %d contents, %d are in use", count(), before)
		}
		runtime.GC()
	}
}

func TestStreamMovesToAnotherScope(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.sync(t)
	before := s.stream.scope.Load()
	moved := *client
	moved.Metrics = true
	h.apply(&moved)
	if s.stream.scope.Load() == before || h.store.scopes[before.key] != nil {
		t.Fatal("the stream did not move, or its old scope still exists")
	}
	s.log = nil
	s.sync(t)
	for _, line := range s.log {
		t.Log(line)
	}
	if len(s.log) != 2 { // the cluster and the listener for metrics
		t.Errorf("%d responses were sent for two differences", len(s.log))
	}
}

func TestStreamEndsWhenPodLeavesTheMesh(t *testing.T) {
	changes := map[string]func(*harness, *inventory.Instance){
		"deleted":         func(h *harness, pod *inventory.Instance) { h.remove(pod) },
		"finished":        func(h *harness, pod *inventory.Instance) { p := *pod; p.Finished = true; h.apply(&p) },
		"replaced":        func(h *harness, pod *inventory.Instance) { p := *pod; p.ID = "another"; h.apply(&p) },
		"namespace left":  func(h *harness, pod *inventory.Instance) { h.apply(&catalog.Namespace{Name: "a"}) },
		"account deleted": func(h *harness, pod *inventory.Instance) { h.remove(accountOf(pod)) },
		"account replaced": func(h *harness, pod *inventory.Instance) {
			account := *accountOf(pod)
			account.UID = "another"
			h.apply(&account)
		},
		"not injected": func(h *harness, pod *inventory.Instance) { p := *pod; p.Injected = false; h.apply(&p) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			entries := twoServices()
			client, _ := podsOf(entries)
			h := newSyncedHarness(entries...)
			stream := h.connect(t, client)
			change(h, client)
			select {
			case <-stream.delta.Ended():
			default:
				t.Fatal("the stream has not ended")
			}
			if !errors.Is(stream.delta.Cause(), ErrGone) || len(h.store.Proxies()) != 0 {
				t.Errorf("cause %v, proxies %v", stream.delta.Cause(), h.store.Proxies())
			}
		})
	}
}

// TestThreat6NewestStreamWins opens two streams of one pod.
func TestThreat6NewestStreamWins(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	older, newer := h.connect(t, client), h.connect(t, client)
	older.Close()
	h.run()
	<-older.delta.Ended()
	if !errors.Is(older.delta.Cause(), ErrSuperseded) {
		t.Errorf("the older stream ended with %v", older.delta.Cause())
	}
	if proxies := h.store.Proxies(); len(proxies) != 1 || !h.store.isConnected(newer) {
		t.Errorf("connected: %v", proxies)
	}
}

// TestThreat7OnlyOwnCertificate subscribes to the certificate of another workload by its name in OSM, and to the client's own.
func TestThreat7OnlyOwnCertificate(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.connect(t, server)
	session := h.connect(t, client).delta.NewSession(delta.Options{})
	err := session.Handle(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: []string{"service-cert:a/server", "service-cert"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var sent []*delta.Response
	flush := func() {
		if _, err := session.Flush(func(r *delta.Response) error { sent = append(sent, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if len(sent) != 1 || len(sent[0].Resources) != 1 || sent[0].Resources[0].Name() != "service-cert" ||
		!slices.Equal(sent[0].Removed, []string{"service-cert:a/server"}) {
		t.Fatalf("sent %+v", sent)
	}
	if err := session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Secrets.URL(), ResponseNonce: sent[0].Nonce}); err != nil {
		t.Fatal(err)
	}
	h.rotate(client.Identity())
	flush()
	if len(sent) != 2 || len(sent[1].Resources) != 1 || sent[1].Resources[0].WireVersion() == sent[0].Resources[0].WireVersion() {
		t.Errorf("after a renewal, sent %+v", sent)
	}
}

// TestThreat49BlockedStream checks that a client that does not read has few pending changes, and that its stream ends after a timeout.
func TestThreat49BlockedStream(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, client)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	requests := make(chan *discovery.DeltaDiscoveryRequest)
	blocked, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- stream.Serve(ctx, clientOf(ctx, requests, func(*delta.Response) error {
			close(blocked)
			<-ctx.Done()
			return ctx.Err()
		}))
	}()
	requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()}
	<-blocked
	for i := range 10 * delta.MaxPendingChanges {
		second := meshtest.Pod("a", "second", "server", "server", fmt.Sprint("10.0.1.", i%200+1))
		h.apply(second, meshtest.Slice(meshtest.Name("a", "server"), server, second))
	}
	list, all := stream.delta.PendingChanges()
	if len(list) > delta.MaxPendingChanges || !all {
		t.Errorf("%d changes are pending at a blocked stream", len(list))
	}
	h.now = h.now.Add(writeTimeout + time.Second)
	h.store.endBlockedStreams()
	<-stream.delta.Ended()
	if !errors.Is(stream.delta.Cause(), ErrBlocked) {
		t.Errorf("ended with %v", stream.delta.Cause())
	}
	cancel()
	<-ended
}

func TestCertificateAndRootRotationArePushed(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.sync(t)
	s.log = nil
	h.rotate(client.Identity())
	s.sync(t)
	h.certificates.mu.Lock()
	h.certificates.root = "root 2"
	h.certificates.mu.Unlock()
	h.store.RootChanged()
	h.run()
	s.sync(t)
	if acknowledged := firstProxy(s).Types[resourcetype.Secrets].Acknowledged; len(s.log) != 2 || acknowledged != 3 {
		t.Errorf("sent %v; acknowledged %d", s.log, acknowledged)
	}
}

// TestQueue_KeepsNewestChangeOfEachObject checks that the number of objects bounds the length of the queue.
func TestQueue_KeepsNewestChangeOfEachObject(t *testing.T) {
	q := newQueue()
	for i := range 100 {
		pod := meshtest.Pod("a", fmt.Sprint("pod-", i%3), fmt.Sprint(i), "sa", "10.0.0.1")
		q.addChanges([]catalog.Change{catalog.Set(pod)}, time.Time{})
	}
	changes := q.take().batch.Changes
	if len(changes) != 3 {
		t.Fatalf("%d changes are queued for three objects", len(changes))
	}
	for i, want := range []string{"99", "97", "98"} {
		if got := changes[i].Entry.(*inventory.Instance).Labels["app"]; got != want {
			t.Errorf("change %d is edit %s, want %s", i, got, want)
		}
	}
	q.addChanges([]catalog.Change{{Ref: changes[0].Ref}}, time.Time{})
	if rest := q.take().batch.Changes; len(rest) != 1 || rest[0].Entry != nil {
		t.Errorf("after taking: %v", rest)
	}
}
