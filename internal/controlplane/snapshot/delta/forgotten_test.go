package delta

import (
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// newIdleStream returns a stream without requests.
func newIdleStream(c *conversation) *Stream {
	s := &Stream{}
	s.Init(&Config{Now: func() time.Time { return c.now }}, nil, entity.Name{}, sharedText{c.snapshot})
	return s
}

// sharedText is a SharedSnapshot of a test with one goroutine.
type sharedText struct{ *fakeSnapshot }

func (sharedText) RLock()   {}
func (sharedText) RUnlock() {}

// TestChangesOfForgottenDestinationsConcernTheStream forgets a destination, and changes it and others.
func TestChangesOfForgottenDestinationsConcernTheStream(t *testing.T) {
	c := newConversation(t)
	s := newIdleStream(c)
	changed := func(n int) bool {
		var changes Changes
		changes[resourcetype.Clusters] = []string{onDemand(n)}
		s.Notify(&changes, c.now, nil)
		list, _ := s.PendingChanges()
		return len(list) > 0
	}
	if changed(1) {
		t.Error("a destination that the client does not have concerns it")
	}
	s.forgetDestination(onDemand(1))
	s.forgetDestination(onDemand(2))
	if changed(3) || !changed(1) {
		t.Error("another destination than a forgotten one concerns the client")
	}
	for n := range 3 {
		c.addDestination(n + 1)
	}
	c.subscribe(resourcetype.Clusters, "*")
	if !s.takePending(c.q, sharedText{c.snapshot}) {
		t.Fatal("the stream has another snapshot")
	}
	c.expect("CDS " + onDemand(1))
	if got := s.Destinations(); !slices.Equal(got, []string{onDemand(1)}) || s.Forgotten() != 2 {
		t.Errorf("the client has %v, and %d were forgotten", got, s.Forgotten())
	}
}

// TestOnlyNewClientsAreLoaded has a new client and one that reconnects. Both have no request at first.
func TestOnlyNewClientsAreLoaded(t *testing.T) {
	for _, isNew := range []bool{true, false} {
		c := newConversation(t)
		c.addDestination(1)
		c.put(resourcetype.Clusters, "other", "1")
		s, calls := newIdleStream(c), 0
		s.LoadAtStart(func(exists func(string) bool) []string {
			calls++
			return slices.DeleteFunc([]string{onDemand(1), onDemand(2)}, func(name string) bool { return !exists(name) })
		})
		s.takePending(c.q, sharedText{c.snapshot})
		if calls > 0 {
			t.Fatal("what a client needs is decided before its first request")
		}
		r := &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: []string{"*"}}
		if !isNew {
			r.InitialResourceVersions = map[string]string{"other": "1"}
		}
		c.send(r)
		for range 2 {
			s.takePending(c.q, sharedText{c.snapshot})
		}
		if answers := c.flush(); calls > 1 || answers[onDemand(1)] != isNew {
			t.Errorf("new: %t, loaded: %t after %d calls", isNew, answers[onDemand(1)], calls)
		}
	}
}
