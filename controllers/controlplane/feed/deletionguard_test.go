package feed

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestDeletionGuard_RetriesUntilConfirmed lists four times: an error, a contradiction, a partial confirmation, and a full one.
func TestDeletionGuard_RetriesUntilConfirmed(t *testing.T) {
	name := func(s string) types.NamespacedName { return types.NamespacedName{Namespace: "a", Name: s} }
	ref := func(s string) entity.Ref {
		return entity.Ref{Kind: entity.KindService, Name: entity.Name{Namespace: "a", Name: s}}
	}
	answers := []struct {
		there []string
		err   error
	}{{nil, errors.New("no route")}, {[]string{"x", "y"}, nil}, {[]string{"y"}, nil}, {nil, nil}}
	var mu sync.Mutex
	var log []string
	asked, done := 0, make(chan struct{})
	d := newDeletionGuard(func(context.Context) (map[types.NamespacedName]struct{}, error) {
		mu.Lock()
		defer mu.Unlock()
		answer := answers[asked]
		asked++
		log = append(log, "ask")
		there := map[types.NamespacedName]struct{}{}
		for _, n := range answer.there {
			there[name(n)] = struct{}{}
		}
		return there, answer.err
	}, func(gone entity.Ref) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, "remove "+gone.Name.Name)
		if gone.Name.Name == "y" {
			close(done)
		}
	}, logr.Discard())
	d.batchDelay, d.retryInterval = time.Millisecond, time.Millisecond
	for _, n := range []string{"x", "y"} {
		d.observe(name(n), ref(n))
	}
	for _, n := range []string{"x", "y"} {
		d.deleteUnobserved(t.Context(), name(n), ref(n))
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the last list confirms the deletions, but they are not applied")
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"ask", "ask", "ask", "remove x", "ask", "remove y"}
	if len(log) != len(want) {
		t.Fatalf("got %v, want %v", log, want)
	}
	for i := range want {
		if log[i] != want[i] {
			t.Fatalf("got %v, want %v", log, want)
		}
	}
}
