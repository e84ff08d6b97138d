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

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// marked are the names that a stream was told about since it was last asked, by type.
func marked(s *Stream) map[string][]string {
	got := map[string][]string{}
	for _, m := range s.marks {
		for t := range numTypes {
			if names := m.diff[t]; len(names) > 0 {
				got[t.String()] = append(got[t.String()], names...)
			}
		}
	}
	if !s.all.IsZero() {
		got["all"] = nil
	}
	s.marks, s.all = nil, time.Time{}
	return got
}

// TestOnlyTheTouchedIsTold changes a mesh and asserts which sidecars hear of it, and of what.
func TestOnlyTheTouchedIsTold(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	stranger := meshtest.Pod("a", "stranger", "stranger", "stranger", "10.0.0.7")
	b.apply(append(entries, stranger, accountOf(stranger))...)
	streams := map[string]*Stream{}
	for _, pod := range []*catalog.Pod{client, server, stranger} {
		streams[pod.Name.Name] = b.mustConnect(t, pod)
		marked(streams[pod.Name.Name])
	}
	second := meshtest.Pod("a", "second", "server", "server", "10.0.0.8")
	cases := []struct {
		name   string
		change []catalog.Entry
		want   map[string]map[string][]string
	}{
		{
			"an endpoint",
			[]catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)},
			map[string]map[string][]string{"client": {"EDS": {"a/server|80"}}},
		},
		{
			"the same again",
			[]catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)},
			map[string]map[string][]string{},
		},
		{
			"a rule",
			[]catalog.Entry{meshtest.Group("a", "routes", "/y")},
			map[string]map[string][]string{"server": {"RDS": {"rds-inbound.80|a/server"}}},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			b.apply(tc.change...)
			got := map[string]map[string][]string{}
			for name, stream := range streams {
				if told := marked(stream); len(told) > 0 {
					got[name] = told
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestSharing asserts that equal sidecars share a scope, that unequal ones share equal contents, and that nothing is left
// when they have gone.
func TestSharing(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	one := meshtest.Pod("a", "one", "x", "one", "10.0.0.1")
	twin := meshtest.Pod("a", "twin", "x", "one", "10.0.0.2")
	other := meshtest.Pod("a", "other", "y", "other", "10.0.0.3")
	service := meshtest.Service("a", "s", "z", "10.96.0.1", 80, catalog.ProtocolHTTP)
	backer := meshtest.Pod("a", "backer", "z", "backer", "10.0.0.4")
	b.apply(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true},
		one, twin, other, accountOf(one), accountOf(other), service, backer, meshtest.Slice(service.Name, backer))
	s1, s2, s3 := b.mustConnect(t, one), b.mustConnect(t, twin), b.mustConnect(t, other)
	if s1.scope != s2.scope || s1.scope == s3.scope {
		t.Error("a scope is shared by the wrong sidecars")
	}
	if name := "rds-outbound.80|a/s"; s1.scope.contents[Routes][name] == nil || s1.scope.contents[Routes][name] != s3.scope.contents[Routes][name] {
		t.Error("equal route configurations of two scopes are not one")
	}
	if name := "a/s|80"; s1.scope.endpoints[name] == nil || s1.scope.endpoints[name] != s3.scope.endpoints[name] {
		t.Error("equal endpoints of two scopes are not one")
	}
	for _, stream := range []*Stream{s1, s2, s3} {
		stream.Close()
		stream.Close()
	}
	b.run()
	left := []int{
		len(b.store.scopes), len(b.store.endpoints), len(b.store.identities), len(b.store.streams), len(b.store.Proxies()),
		len(b.store.readsOfScopes.readers), len(b.store.readsOfEndpoints.readers), len(b.store.readsOfStreams.readers),
	}
	if slices.Max(left) > 0 {
		t.Errorf("something is left of sidecars that have gone: %v", left)
	}
}

// TestContentsAreForgotten changes one resource many times: the interner must not remember what nobody holds.
func TestContentsAreForgotten(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	_, server := pods(entries)
	b.apply(entries...)
	stream := b.mustConnect(t, server)
	count := func() int {
		b.store.interner.mu.Lock()
		defer b.store.interner.mu.Unlock()
		return len(b.store.interner.contents)
	}
	before, made := count(), map[uint64]bool{}
	for i := range 200 {
		b.apply(meshtest.Group("a", "routes", fmt.Sprint("/", i)))
		made[stream.scope.contents[Routes]["rds-inbound.80|a/server"].hash] = true
	}
	if len(made) != 200 {
		t.Fatalf("200 changes made %d contents", len(made))
	}
	deadline := time.Now().Add(10 * time.Second)
	for count() > before+5 {
		if time.Now().After(deadline) {
			t.Fatalf("%d contents are remembered, %d are in use", count(), before)
		}
		runtime.GC()
	}
}

func TestPodMovesToAnotherScope(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, _ := pods(entries)
	b.apply(entries...)
	s := newSidecar(b, client)
	s.open(t)
	s.settle(t)
	before := s.stream.scope
	moved := *client
	moved.Metrics = true
	b.apply(&moved)
	if s.stream.scope == before || b.store.scopes[before.key] != nil {
		t.Fatal("the stream did not move, or its old scope is still there")
	}
	s.log = nil
	s.settle(t)
	for _, line := range s.log {
		t.Log(line)
	}
	if len(s.log) != 2 { // the cluster and the listener that serve metrics
		t.Errorf("%d responses were sent for two differences", len(s.log))
	}
}

func TestPodThatGoesEndsItsStream(t *testing.T) {
	changes := map[string]func(*bench, *catalog.Pod){
		"deleted":   func(b *bench, pod *catalog.Pod) { b.remove(pod) },
		"finished":  func(b *bench, pod *catalog.Pod) { p := *pod; p.Finished = true; b.apply(&p) },
		"replaced":  func(b *bench, pod *catalog.Pod) { p := *pod; p.UID = "another"; b.apply(&p) },
		"unmeshed":  func(b *bench, pod *catalog.Pod) { b.apply(&catalog.Namespace{Name: "a"}) },
		"reclaimed": func(b *bench, pod *catalog.Pod) { p := *pod; p.Injected = false; b.apply(&p) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.store.MarkSynced()
			entries := twoServices()
			client, _ := pods(entries)
			b.apply(entries...)
			stream := b.mustConnect(t, client)
			change(b, client)
			select {
			case <-stream.ended:
			default:
				t.Fatal("the stream goes on")
			}
			if !errors.Is(stream.cause, ErrGone) || len(b.store.Proxies()) != 0 {
				t.Errorf("cause %v, proxies %v", stream.cause, b.store.Proxies())
			}
		})
	}
}

// TestThreat6NewestStreamWins opens two streams of one pod.
func TestThreat6NewestStreamWins(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, _ := pods(entries)
	b.apply(entries...)
	older, newer := b.mustConnect(t, client), b.mustConnect(t, client)
	older.Close()
	b.run()
	<-older.ended
	if !errors.Is(older.cause, ErrSuperseded) {
		t.Errorf("the older stream ended with %v", older.cause)
	}
	if proxies := b.store.Proxies(); len(proxies) != 1 || b.store.streams[client.UID] != newer {
		t.Errorf("connected: %v", proxies)
	}
}

// TestThreat7OnlyItsOwnKey asks for another workload's certificate.
func TestThreat7OnlyItsOwnKey(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	b.apply(entries...)
	b.mustConnect(t, server)
	stream, q := b.mustConnect(t, client), newSequencer()
	err := stream.take(q, &discovery.DeltaDiscoveryRequest{
		TypeUrl: Secrets.URL(), ResourceNamesSubscribe: []string{"service-cert:a/server", "service-cert:a/client"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var sent []*Response
	if _, err := stream.flush(q, func(r *Response) error { sent = append(sent, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 1 || len(sent[0].Resources) != 1 || sent[0].Resources[0].Name() != "service-cert:a/client" ||
		!slices.Equal(sent[0].Removed, []string{"service-cert:a/server"}) {
		t.Errorf("sent %+v", sent)
	}
}

// TestThreat49SlowReader lets one sidecar stop reading: marks stay few, others are told, and in the end the stream is cut.
func TestThreat49SlowReader(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	b.apply(entries...)
	stream := b.mustConnect(t, client)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	requests := make(chan *discovery.DeltaDiscoveryRequest)
	blocked, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- stream.Serve(ctx, requests, func(*Response) error {
			close(blocked)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: Clusters.URL()}
	<-blocked
	for i := range 10 * maxMarks {
		second := meshtest.Pod("a", "second", "server", "server", fmt.Sprint("10.0.1.", i%200+1))
		b.apply(second, meshtest.Slice(meshtest.Name("a", "server"), server, second))
	}
	stream.mu.Lock()
	marks, all := len(stream.marks), !stream.all.IsZero()
	stream.mu.Unlock()
	if marks > maxMarks || !all {
		t.Errorf("%d marks are remembered for a sidecar that does not read", marks)
	}
	b.now = b.now.Add(writeLimit + time.Second)
	b.store.dropStuck()
	<-stream.ended
	if !errors.Is(stream.cause, ErrStuck) {
		t.Errorf("ended with %v", stream.cause)
	}
	cancel()
	<-ended
}

// TestRotation follows a certificate and a root from the source to the sidecar.
func TestRotation(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, _ := pods(entries)
	b.apply(entries...)
	s := newSidecar(b, client)
	s.open(t)
	s.settle(t)
	s.log = nil
	b.certificates.rotate(client.Identity())
	b.store.CertificateRotated(client.Identity())
	b.run()
	s.settle(t)
	b.certificates.mu.Lock()
	b.certificates.root = "root 2"
	b.certificates.mu.Unlock()
	b.store.RootChanged()
	b.run()
	s.settle(t)
	if len(s.log) != 2 || s.stream.status.types[Secrets].Accepted != 3 {
		t.Errorf("sent %v; accepted %d", s.log, s.stream.status.types[Secrets].Accepted)
	}
}

// TestQueueKeepsTheNewest bounds what waits for a busy Store by the number of objects.
func TestQueueKeepsTheNewest(t *testing.T) {
	q := newQueue()
	for i := range 100 {
		pod := meshtest.Pod("a", fmt.Sprint("pod-", i%3), fmt.Sprint(i), "sa", "10.0.0.1")
		q.change([]catalog.Change{catalog.Set(pod)}, time.Time{})
	}
	changes := q.take().changes.list
	if len(changes) != 3 {
		t.Fatalf("%d changes wait for three objects", len(changes))
	}
	for i, want := range []string{"99", "97", "98"} {
		if got := changes[i].Entry.(*catalog.Pod).Labels["app"]; got != want {
			t.Errorf("change %d is that of edit %s, want %s", i, got, want)
		}
	}
	q.change([]catalog.Change{{Ref: changes[0].Ref}}, time.Time{})
	if rest := q.take().changes.list; len(rest) != 1 || rest[0].Entry != nil {
		t.Errorf("after taking: %v", rest)
	}
}
