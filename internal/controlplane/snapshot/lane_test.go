package snapshot

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLaneIsFair adds jobs of random namespaces and lengths, and checks that a namespace which waits gets its turn before any other one has used more
// than it and one job.
func TestLaneIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := newBuildLane(), time.Unix(1_800_000_000, 0)
		const longest = 200 * time.Millisecond
		owners := 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "arrives") {
				owners++
				l.add(buildJob{owner: owners, namespace: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "namespace")})
				continue
			}
			waiting := map[string]time.Duration{}
			for namespace := range l.jobs {
				waiting[namespace] = l.shares.Used(namespace, now)
			}
			job, found := l.take(now, never)
			if !found {
				if len(waiting) > 0 {
					t.Fatalf("jobs of %v are not found", waiting)
				}
				continue
			}
			for namespace, used := range waiting {
				if used < waiting[job.namespace] {
					t.Fatalf("%s has used %s, and %s, which has used %s, waits", job.namespace, waiting[job.namespace], namespace, used)
				}
			}
			spent := time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "spent"))
			now = now.Add(spent)
			l.shares.Charge(job.namespace, spent, now)
		}
	})
}

// never lets no namespace wait.
func never(string) bool { return false }

// TestLaneKeepsTheOrderOfANamespace takes the jobs of one namespace in the order of their arrival, and each owner once.
func TestLaneKeepsTheOrderOfANamespace(t *testing.T) {
	l, now := newBuildLane(), time.Unix(1_800_000_000, 0)
	for _, owner := range []int{1, 2, 1, 3} {
		l.add(buildJob{owner: owner, namespace: "a"})
	}
	var got []any
	for {
		job, found := l.take(now, never)
		if !found {
			break
		}
		got = append(got, job.owner)
	}
	if fmt.Sprint(got) != "[1 2 3]" || len(l.queued)+len(l.jobs) > 0 {
		t.Errorf("the jobs are of %v, want [1 2 3]; left are %+v", got, l)
	}
}

// TestPodsOfOneNamespaceDoNotKeepOthersOut lets many pods of one namespace, and one pod of another, wait for their configuration. The other one gets its
// configuration second, and what is queued meanwhile comes before the rest.
func TestPodsOfOneNamespaceDoNotKeepOthersOut(t *testing.T) {
	var entries []catalog.Entry
	var pods []*inventory.Instance
	for i := range 20 {
		name := fmt.Sprintf("busy-%02d", i)
		pods = append(pods, meshtest.Pod("busy", name, name, name, fmt.Sprintf("10.0.1.%d", i+1)))
	}
	pods = append(pods, meshtest.Pod("other", "web", "web", "web", "10.0.2.1"))
	for _, pod := range pods {
		entries = append(entries, pod, accountOf(pod))
	}
	h := newSyncedHarness(append(entries, &catalog.Settings{}, &catalog.Namespace{Name: "busy", Monitored: true}, &catalog.Namespace{Name: "other", Monitored: true})...)
	h.clock = func() time.Time {
		h.now = h.now.Add(time.Millisecond) // every part of a build takes time
		return h.now
	}
	waiting := map[*pendingStream]string{}
	for _, pod := range pods {
		p := &pendingStream{peer: peerOf(pod), abort: func() {}, result: make(chan connectResult, 1)}
		waiting[p] = pod.Name.Namespace
		h.store.addPending(p)
	}
	var order []string
	for range pods {
		h.store.buildNext()
		for p, namespace := range waiting {
			if len(p.result) > 0 {
				order = append(order, namespace)
				delete(waiting, p)
			}
		}
	}
	if len(order) != len(pods) || order[0] != "busy" || order[1] != "other" {
		t.Errorf("streams are bound in the order %v, want the other namespace second", order)
	}
	h.run() // what is left has nothing to do
}

// TestMovesOfABusyNamespaceWait changes the labels of a connected pod again and again, as its owner can. Once its namespace has used much time, the stream moves
// when it is its turn.
func TestMovesOfABusyNamespaceWait(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	_, server := podsOf(entries)
	stream := h.connect(t, server)
	first := stream.scope.Load()
	move := func() {
		changed := *server
		changed.Metrics = !changed.Metrics
		server = &changed
		h.store.Apply([]catalog.Change{catalog.Set(server)})
		h.store.applyChanges(h.store.queue.takeChanges())
	}
	move()
	if stream.scope.Load() == first {
		t.Fatal("a pod with other labels keeps its configuration")
	}
	h.advance(2 * idleTime) // the first scope is dropped, and the namespace gets its time back
	h.store.lane.shares.Charge("a", changesBurst, h.now)
	second := stream.scope.Load()
	move()
	if stream.scope.Load() != second {
		t.Error("a namespace that has used much time does not wait")
	}
	if h.run(); stream.scope.Load() == second {
		t.Error("the stream of a pod with other labels never moves")
	}
}

// TestPodThatEndsInTheLane deletes the pod of a stream that waits for its scope, before and after the longest wait for an unknown pod.
func TestPodThatEndsInTheLane(t *testing.T) {
	for _, isLate := range []bool{false, true} {
		entries := twoServices()
		h := newSyncedHarness(entries...)
		client, _ := podsOf(entries)
		p := &pendingStream{peer: peerOf(client), abort: func() {}, result: make(chan connectResult, 1)}
		h.store.addPending(p)
		if isLate {
			h.store.late(p)
		}
		if len(p.result) > 0 {
			t.Fatal("a stream whose pod is known is rejected")
		}
		h.remove(client)
		if isLate != (len(p.result) == 1) {
			t.Fatalf("late: %t; the stream has %d answers", isLate, len(p.result))
		}
		if !isLate {
			h.store.late(p)
		}
		if r := <-p.result; r.stream != nil || !errors.Is(r.err, ErrUnknown) {
			t.Errorf("late: %t; the stream %v and the error %v, want ErrUnknown", isLate, r.stream, r.err)
		}
	}
}
