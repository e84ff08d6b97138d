package delta

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
)

// TestWaitsOfRemovals starts, keeps and ends the waits of clusters whose connections are drained.
func TestWaitsOfRemovals(t *testing.T) {
	first, second := extauthz.Cluster(true), extauthz.Cluster(false)
	c := newConversation(t)
	if c.q.delayRemoval(c.snapshot, resourcetype.Endpoints, first, c.now) || len(c.q.removalsDue) > 0 {
		t.Error("the removal of endpoints waits")
	}
	for _, name := range []string{first, second, first} {
		if !c.q.delayRemoval(c.snapshot, resourcetype.Clusters, name, c.now) {
			t.Errorf("the removal of %s does not wait", name)
		}
		c.wait(time.Second)
	}
	began := c.now.Add(-3 * time.Second)
	if due := c.q.removalsDue; len(due) != 2 || !due[first].Equal(began.Add(removalDelay)) || !due[second].Equal(began.Add(time.Second+removalDelay)) {
		t.Errorf("removals are due at %v, want both at the end of their waits", due)
	}
	if got, want := c.q.deadline(), began.Add(removalDelay); !got.Equal(want) {
		t.Errorf("the next look is at %s, want %s, the earlier one", got, want)
	}
	c.q.removalsDue[first] = time.Time{}
	if c.q.delayRemoval(c.snapshot, resourcetype.Clusters, first, c.now) || len(c.q.removalsDue) != 1 {
		t.Error("a removal whose wait has ended waits again, or is remembered")
	}
	if !c.q.delayRemoval(c.snapshot, resourcetype.Clusters, first, c.now) {
		t.Error("the next removal of the same cluster does not wait")
	}
	c.q.removalsDue["ordinary"] = c.now
	if c.q.delayRemoval(c.snapshot, resourcetype.Clusters, "ordinary", c.now) || len(c.q.removalsDue) != 2 {
		t.Error("a cluster that nothing may use waits, or is remembered")
	}
}

// TestDeadlineIsTheEarliest has several things to wait for, and some that wait for an answer.
func TestDeadlineIsTheEarliest(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, test := range map[string]struct {
		edit func(q *sequencer)
		want time.Time
	}{
		"nothing":                     {func(*sequencer) {}, time.Time{}},
		"a certificate before others": {func(q *sequencer) { q.certificateReusableUntil = now; q.routesMissingSince = now }, now},
		"routes before a certificate": {func(q *sequencer) { q.certificateReusableUntil = now.Add(time.Hour); q.routesMissingSince = now }, now.Add(ackTimeout)},
		"a handover before routes": {func(q *sequencer) {
			q.routesMissingSince = now
			q.handover = &handover{drainsAt: now.Add(time.Second), endsAt: now.Add(time.Minute)}
		}, now.Add(time.Second)},
		"what waits for others": {func(q *sequencer) {
			st := &q.types[resourcetype.Listeners]
			st.requested, st.dirty, st.addsBlockedSince, st.removesBlockedSince = true, map[string]struct{}{"l": {}}, now.Add(time.Second), now
		}, now.Add(ackTimeout)},
		"what waits for an answer": {func(q *sequencer) {
			st := &q.types[resourcetype.Listeners]
			st.requested, st.inFlight, st.dirty, st.addsBlockedSince = true, "1", map[string]struct{}{"l": {}}, now
		}, time.Time{}},
	} {
		q := &sequencer{}
		test.edit(q)
		if got := q.deadline(); !got.Equal(test.want) {
			t.Errorf("%s: the next look is at %s, want %s", name, got, test.want)
		}
	}
}

// TestPendingSince checks since when each type is pending.
func TestPendingSince(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	later, sent := start.Add(time.Minute), start.Add(time.Second)
	dirty := map[string]struct{}{"a": {}}
	for name, test := range map[string]struct {
		kind  resourcetype.Type
		state typeState
		want  time.Time
	}{
		"not requested":                   {resourcetype.Clusters, typeState{}, start},
		"not requested, with changes":     {resourcetype.Clusters, typeState{dirty: dirty, dirtySince: later}, start},
		"requested, nothing to send":      {resourcetype.Clusters, typeState{requested: true, dirtySince: later}, time.Time{}},
		"changes":                         {resourcetype.Clusters, typeState{requested: true, dirty: dirty, dirtySince: later}, later},
		"in flight, and changes":          {resourcetype.Clusters, typeState{requested: true, inFlight: "1", inFlightSince: sent, dirty: dirty, dirtySince: later}, sent},
		"endpoints, not requested":        {resourcetype.Endpoints, typeState{}, time.Time{}},
		"endpoints, changes":              {resourcetype.Endpoints, typeState{requested: true, dirty: dirty, dirtySince: later}, later},
		"endpoints, changes, no request":  {resourcetype.Endpoints, typeState{dirty: dirty, dirtySince: later}, time.Time{}},
		"endpoints, nothing left to send": {resourcetype.Endpoints, typeState{requested: true, dirty: map[string]struct{}{}, dirtySince: later}, time.Time{}},
		"listeners, requested":            {resourcetype.Listeners, typeState{requested: true}, time.Time{}},
	} {
		q := &sequencer{}
		q.types[test.kind] = test.state
		if got := q.pendingSince(start)[test.kind]; !got.Equal(test.want) {
			t.Errorf("%s: pending since %s, want %s", name, got, test.want)
		}
	}
}

// TestSecretsWithoutAnAnswer owes an answer for secrets, also if there are further ones to send.
func TestSecretsWithoutAnAnswer(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Secrets, "s", "1")
	c.subscribe(resourcetype.Secrets, "s")
	c.expect("SDS s")
	c.put(resourcetype.Secrets, "s", "2")
	if got, want := c.q.answerDue(), c.now.Add(maxAnswerDelay); !got.Equal(want) {
		t.Errorf("an answer is due at %s, want %s", got, want)
	}
}

// TestPausesBetweenParts rejects everything. The next look is at the end of the pause between two parts, and there is none after the last part.
func TestPausesBetweenParts(t *testing.T) {
	c := newConversation(t)
	var all []string
	for i := range 32 {
		all = append(all, fmt.Sprint("r", i))
		c.put(resourcetype.Routes, all[i], "1")
	}
	c.subscribe(resourcetype.Routes, all...)
	bisector := &c.q.types[resourcetype.Routes].bisector
	pauses := 0
	for {
		for c.q.next(c.snapshot, c.now) != nil {
			c.nack(resourcetype.Routes, "no")
		}
		if !bisector.HasParts() {
			break
		}
		if got := c.q.deadline(); !got.Equal(bisector.PausedUntil()) || !got.After(c.now) {
			t.Fatalf("the next look is at %s, want %s, the end of the pause", got, bisector.PausedUntil())
		}
		pauses++
		c.now = c.q.deadline()
	}
	if got := c.q.deadline(); !got.IsZero() || pauses == 0 || bisector.PausedUntil().IsZero() {
		t.Errorf("after %d pauses, the next look is at %s, want none", pauses, got)
	}
	st := &c.q.types[resourcetype.Routes]
	st.dirty, st.addsBlockedSince = map[string]struct{}{"r0": {}}, c.now
	if got, want := c.q.deadline(), c.now.Add(ackTimeout); !got.Equal(want) {
		t.Errorf("after the last part, the next look at a change that waits is at %s, want %s, not the end of an earlier pause", got, want)
	}
}
