package quarantine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// resources returns resources with names.
func resources(t *testing.T, names ...string) []resource.Versioned {
	t.Helper()
	var list []resource.Versioned
	for _, name := range names {
		c, err := resource.New(envoy.Resource{TypeURL: envoy.ListenerType, Name: name, Message: &listenerv3.Listener{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, resource.Versioned{Content: c, Version: c.Hash()})
	}
	return list
}

// bisect rejects each response with the resource bad, and returns the parts that were sent, and what was found.
func bisect(t *testing.T, kind resourcetype.Type, message string, names ...string) (sent [][]string, found *RejectedResource) {
	t.Helper()
	var b Bisector
	next := names
	for now := time.Unix(1, 0); next != nil; next = b.NextPart(now) {
		sent = append(sent, next)
		b.SetInFlight(resources(t, next...))
		if !slices.Contains(next, "bad") {
			b.ACK()
			continue
		}
		if r := b.NACK(kind, message, now); r != nil {
			found = r
		}
	}
	return sent, found
}

// TestBisector checks in which parts a rejected response is sent again.
func TestBisector(t *testing.T) {
	for name, test := range map[string]struct {
		kind    resourcetype.Type
		message string
		names   []string
		want    [][]string
	}{
		"alone":                {resourcetype.Routes, "no", []string{"bad"}, [][]string{{"bad"}}},
		"in halves":            {resourcetype.Routes, "no", []string{"a", "bad", "c"}, [][]string{{"a", "bad", "c"}, {"a"}, {"bad", "c"}, {"bad"}, {"c"}}},
		"not by a message":     {resourcetype.Routes, "bad", []string{"a", "b", "bad"}, [][]string{{"a", "b", "bad"}, {"a"}, {"b", "bad"}, {"b"}, {"bad"}}},
		"listeners by name":    {resourcetype.Listeners, "bad and b", []string{"b", "c", "bad"}, [][]string{{"b", "c", "bad"}, {"b"}, {"bad"}}},
		"listeners by no name": {resourcetype.Listeners, "x", []string{"c", "bad"}, [][]string{{"c", "bad"}, {"c"}, {"bad"}}},
	} {
		sent, found := bisect(t, test.kind, test.message, test.names...)
		if diff := cmp.Diff(test.want, sent); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want := (RejectedResource{test.kind, "bad", test.message, resources(t, "bad")[0].Hash()}); found == nil || *found != want {
			t.Errorf("%s: found %+v, want %+v", name, found, want)
		}
	}
}

// TestBisector_Message checks what a client rejects now.
func TestBisector_Message(t *testing.T) {
	var b Bisector
	now := time.Unix(1, 0)
	expect := func(when, message string, rejected, parts bool) {
		t.Helper()
		if b.Message() != message || b.HasRejected() != rejected || b.HasParts() != parts {
			t.Errorf("%s: message %q, rejected %t, parts %t", when, b.Message(), b.HasRejected(), b.HasParts())
		}
	}
	expect("at first", "", false, false)
	if b.NACK(resourcetype.Routes, "nothing is in flight", now) != nil {
		t.Error("nothing is in flight, and a resource is found")
	}
	expect("with nothing in flight", "", false, false)
	for _, name := range []string{"b", "a", "c"} {
		b.SetInFlight(resources(t, name))
		b.NACK(resourcetype.Routes, "message of "+name, now)
	}
	expect("after three", "message of a", true, false)
	b.Forget("a")
	expect("without the first one", "message of b", true, false)
	b.SetInFlight(resources(t, "b"))
	b.ACK()
	expect("after an ACK", "message of c", true, false)
	b.ACK()
	expect("after an ACK of nothing", "message of c", true, false)
	b.SetInFlight(resources(t, "d", "e", "f"))
	b.NACK(resourcetype.Routes, "message of several", now)
	expect("with parts", "message of several", true, true)
	b.Forget("c")
	expect("with parts alone", "message of several", true, true)
	b.Exclude(resources(t, "e", "x"))
	var parts [][]string
	for b.HasParts() {
		parts = append(parts, b.NextPart(now))
	}
	if diff := cmp.Diff([][]string{{"d"}, {"f"}}, parts); diff != "" {
		t.Errorf("parts without those that are sent (-want +got):\n%s", diff)
	}
	expect("at the end", "", false, false)
}

// TestBisector_Pauses checks that endless NACKs get parts with pauses, until an ACK.
func TestBisector_Pauses(t *testing.T) {
	var b Bisector
	now := time.Unix(1, 0)
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint(i))
	}
	b.SetInFlight(resources(t, names...))
	for range maxImmediateNACKs {
		b.NACK(resourcetype.Routes, "no", now)
	}
	if b.NextPart(now) == nil || !b.PausedUntil().IsZero() {
		t.Errorf("at the limit, the next part waits until %s", b.PausedUntil())
	}
	b.NACK(resourcetype.Routes, "no", now)
	until := now.Add(nackPause)
	if b.NextPart(until.Add(-1)) != nil || !b.PausedUntil().Equal(until) {
		t.Errorf("beyond the limit, the next part waits until %s, want %s", b.PausedUntil(), until)
	}
	if b.NextPart(until) == nil {
		t.Error("after the pause there is no part")
	}
	b.ACK()
	if !b.PausedUntil().IsZero() {
		t.Errorf("after an ACK, the next part waits until %s", b.PausedUntil())
	}
	b.NACK(resourcetype.Routes, "no", now)
	if !b.PausedUntil().IsZero() {
		t.Errorf("after an ACK and a NACK, the next part waits until %s", b.PausedUntil())
	}
}
