package delta

import (
	"fmt"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestListenersWaitForTheCertificate keeps listeners back while the certificate of the client is being issued.
func TestListenersWaitForTheCertificate(t *testing.T) {
	c := newConnected(t)
	c.snapshot.pending = envoy.ServiceCertName
	c.subscribe(resourcetype.Secrets, envoy.ServiceCertName)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect()
	c.put(resourcetype.Secrets, envoy.ServiceCertName, "1")
	c.expect("SDS " + envoy.ServiceCertName)
	c.ack(resourcetype.Secrets)
	c.expect("LDS l")
}

// TestClusterWithoutEndpointsIsWarm gives endpoints to a cluster that was warm without them. Listeners do not wait for a subscription.
func TestClusterWithoutEndpointsIsWarm(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "d", "1")
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Endpoints, "d", "1")
	c.put(resourcetype.Listeners, "l", "3")
	c.expect("LDS l")
}

// TestEachClusterWarms acknowledges the endpoints of one of two clusters, and rejects those of the other one.
func TestEachClusterWarms(t *testing.T) {
	for _, order := range [][]string{{"d", "e"}, {"e", "d"}} {
		c := newConnected(t)
		for _, name := range order {
			c.put(resourcetype.Clusters, name, "1")
			c.put(resourcetype.Endpoints, name, "1")
		}
		c.expect("CDS d e")
		c.ack(resourcetype.Clusters)
		c.subscribe(resourcetype.Endpoints, order[0])
		c.expect("EDS " + order[0])
		c.ack(resourcetype.Endpoints)
		c.put(resourcetype.Listeners, "l", "2")
		c.expect()
		c.subscribe(resourcetype.Endpoints, order[1])
		c.expect("EDS " + order[1])
		c.nack(resourcetype.Endpoints, "no")
		c.expect()
		c.wait(ackTimeout)
		c.expect("LDS l")
	}
}

// TestRemovalsWaitForWhatMayRefer removes a cluster and a secret while something that may use them has no answer.
func TestRemovalsWaitForWhatMayRefer(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Secrets, "s", "1")
	c.subscribe(resourcetype.Secrets, "s")
	c.expect("SDS s")
	c.ack(resourcetype.Secrets)
	c.put(resourcetype.Routes, "r", "2")
	c.expect("RDS r")
	c.remove(resourcetype.Clusters, "c")
	c.expect()
	c.ack(resourcetype.Routes)
	c.expect("CDS -c", "EDS c")
	c.remove(resourcetype.Secrets, "s")
	c.expect()
	c.ack(resourcetype.Endpoints)
	c.ack(resourcetype.Clusters)
	c.expect("SDS -s")
	c.ack(resourcetype.Secrets)

	c.put(resourcetype.Secrets, "t", "1")
	c.subscribe(resourcetype.Secrets, "t")
	c.expect("SDS t")
	c.ack(resourcetype.Secrets)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.remove(resourcetype.Secrets, "t")
	c.expect()
	c.ack(resourcetype.Listeners)
	c.expect("SDS -t")
}

// TestRejectedListenersAreNotSynced removes routes while the client has not accepted its listeners, also when it has accepted another part of the response since.
func TestRejectedListenersAreNotSynced(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Listeners, "a", "1")
	c.put(resourcetype.Listeners, "b", "1")
	c.expect("LDS a b")
	c.nack(resourcetype.Listeners, "no")
	c.expect("LDS a")
	c.nack(resourcetype.Listeners, "no")
	c.expect("LDS b")
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Routes, "r")
	c.expect()

	undivided := newConnected(t)
	undivided.q.undivided = true
	undivided.put(resourcetype.Listeners, "l", "2")
	undivided.expect("LDS l")
	undivided.nack(resourcetype.Listeners, "no")
	undivided.remove(resourcetype.Routes, "r")
	undivided.expect()
	if undivided.q.types[resourcetype.Listeners].bisector.HasRejected() {
		t.Error("a client whose responses are not divided has a rejected part")
	}
}

// TestLoadedBeforeTheFirstRequest loads a destination for a client that has not asked for clusters.
func TestLoadedBeforeTheFirstRequest(t *testing.T) {
	c := newConversation(t)
	c.addDestination(1)
	c.q.load([]string{onDemand(1)}, c.snapshot, c.now)
	c.expect()
	pending := c.q.pendingSince(c.now.Add(-time.Hour))
	if got, want := pending[resourcetype.Clusters], c.now.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("clusters are pending since %s, want %s, the begin of the stream", got, want)
	}
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS " + onDemand(1))
}

// TestOrderOfBindingListeners updates a listener that binds a port beside others, whatever their order.
func TestOrderOfBindingListeners(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *conversation)
		want   []string
	}{
		"a removal after it": {func(c *conversation) { c.remove(resourcetype.Listeners, "z") }, []string{"LDS port"}},
		"a removal before what is current": {func(c *conversation) {
			c.remove(resourcetype.Listeners, "a")
			c.q.markChanged(resourcetype.Listeners, []string{"b"}, c.now)
		}, []string{"LDS port"}},
		"an addition before a removal": {func(c *conversation) { c.put(resourcetype.Listeners, "aa", "1"); c.remove(resourcetype.Listeners, "b") }, []string{"LDS aa port -b"}},
		"an addition after a removal":  {func(c *conversation) { c.put(resourcetype.Listeners, "c", "1"); c.remove(resourcetype.Listeners, "b") }, []string{"LDS c port -b"}},
		"nothing else":                 {func(*conversation) {}, []string{"LDS port"}},
	} {
		c := newConversation(t)
		for _, listener := range []string{"a", "b", bindingListener, "z"} {
			c.put(resourcetype.Listeners, listener, "1")
		}
		c.subscribe(resourcetype.Listeners)
		c.expect("LDS a b port z")
		c.ack(resourcetype.Listeners)
		c.put(resourcetype.Listeners, bindingListener, "2")
		test.change(c)
		t.Run(name, func(t *testing.T) { c.t = t; c.expect(test.want...) })
	}
}

// TestWaitsOfRemovals starts, keeps and ends the waits of clusters whose connections are drained.
func TestWaitsOfRemovals(t *testing.T) {
	first, second := envoy.PolicyAuthorizationCluster(true), envoy.PolicyAuthorizationCluster(false)
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

// TestOwnClustersNeedTheirContent drains a client of a control plane that has no draining cluster.
func TestOwnClustersNeedTheirContent(t *testing.T) {
	c := newConversation(t)
	c.report(earlyOn)
	if got := c.q.withOwnClusters(c.snapshot); got != Snapshot(c.snapshot) {
		t.Errorf("the snapshot is %v, want it without own clusters", got)
	}
}

// TestReadinessNeedsBothTypes keeps a client unready that has asked for listeners alone, or that reports the readiness cluster.
func TestReadinessNeedsBothTypes(t *testing.T) {
	c := newReadinessConversation(t)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	if c.expect(); c.q.readinessCluster == nil {
		t.Error("a client without clusters is ready")
	}
	c = newReadinessConversation(t)
	readiness := c.q.readinessCluster
	for _, req := range []*discovery.DeltaDiscoveryRequest{
		{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: map[string]string{readiness.Name(): "1"}},
		{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: map[string]string{"c": "1"}}, // not the first request
		{TypeUrl: resourcetype.Listeners.URL(), InitialResourceVersions: map[string]string{"l": "1"}},
	} {
		c.send(req)
	}
	if c.q.readinessCluster != readiness || c.q.readyBefore {
		t.Error("a client that reports the readiness cluster was ready")
	}
}

// TestReadinessNeedsEachRoute leaves out the subscription to one of many routes.
func TestReadinessNeedsEachRoute(t *testing.T) {
	c := newReadinessConversation(t)
	c.acceptClustersAndListeners()
	var most []string
	for i := range 30 {
		name := fmt.Sprint("r", i)
		c.put(resourcetype.Routes, name, "1")
		most = append(most, name)
	}
	c.subscribe(resourcetype.Routes, most...) // all but r
	if c.acceptAll(); !c.hasReadinessCluster() {
		t.Error("a client without one of its routes is ready")
	}
}

// TestAnswersOfOtherTypesRecordNoListener acknowledges clusters while a listener has no answer.
func TestAnswersOfOtherTypesRecordNoListener(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS l")
	c.put(resourcetype.Clusters, "c", "1")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	if at, remembered := c.q.takeover.updates["l"]; !remembered || !at.IsZero() {
		t.Errorf("the update of the listener was answered at %s, want not yet", at)
	}
}

// TestReportedNames reports names of an earlier stream: as many destinations as a client may have, and names that are no certificate.
func TestReportedNames(t *testing.T) {
	c := newConversation(t)
	initial := map[string]string{envoy.ServiceCertName: "1"}
	for n := range maxUnknownDestinations + 10 {
		initial[onDemand(n)] = "1"
	}
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: initial})
	if got, want := c.q.types[resourcetype.Clusters].versions.len(), maxUnknownDestinations+1; got != want {
		t.Errorf("%d names are recorded, want %d", got, want)
	}
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: []string{"root"}, InitialResourceVersions: map[string]string{"root": "1"},
	})
	for kind, name := range map[resourcetype.Type]string{resourcetype.Clusters: envoy.ServiceCertName, resourcetype.Secrets: "root"} {
		if got, _ := c.q.types[kind].versions.get(name); got == stateReported {
			t.Errorf("%s %s counts as a reported certificate", kind, name)
		}
	}
	if c.q.reportedCertificate != "" {
		t.Errorf("the reported certificate is %q, want none", c.q.reportedCertificate)
	}
}

// TestWildcardsComeAndGo subscribes to everything later than at first, and ends that.
func TestWildcardsComeAndGo(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Clusters, "d", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.subscribe(resourcetype.Clusters, "c")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect() // nothing new
	c.subscribe(resourcetype.Endpoints, "*")
	c.expect() // endpoints have no wildcard
	unsubscribe := func(name string) {
		c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), ResourceNamesUnsubscribe: []string{name}})
	}
	unsubscribe("c")
	c.expect("CDS c") // still part of the wildcard
	c.ack(resourcetype.Clusters)
	c.addDestination(1)
	c.expect() // destinations are no part of it
	unsubscribe("*")
	c.put(resourcetype.Clusters, "new", "1")
	c.expect()
	c.put(resourcetype.Clusters, "d", "2")
	c.expect("CDS d")
}

// TestEmptyWildcardLater subscribes to everything later, when there is nothing. The client waits for an answer.
func TestEmptyWildcardLater(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters, "missing")
	c.expect("CDS -missing")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect("CDS")
}

// TestRejectedNameIsForgotten unsubscribes from routes that the client has rejected.
func TestRejectedNameIsForgotten(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.nack(resourcetype.Routes, "no")
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Routes.URL(), ResourceNamesUnsubscribe: []string{"r"}})
	if c.q.types[resourcetype.Routes].bisector.HasRejected() {
		t.Error("routes without a subscription count as rejected")
	}
	c.remove(resourcetype.Routes, "r")
	c.subscribe(resourcetype.Routes, "gone")
	c.put(resourcetype.Routes, "gone", "1")
	c.expect("RDS gone")
	c.nack(resourcetype.Routes, "no")
	c.remove(resourcetype.Routes, "gone")
	c.expect("RDS -gone")
	if c.q.types[resourcetype.Routes].bisector.HasRejected() {
		t.Error("routes that were removed count as rejected")
	}
}

// TestUnknownNamesAreBounded subscribes to names that do not exist in several requests, which are answered in between.
func TestUnknownNamesAreBounded(t *testing.T) {
	for _, kind := range []resourcetype.Type{resourcetype.Routes, resourcetype.Endpoints} {
		c := newConversation(t)
		for i := range 100 {
			c.put(kind, fmt.Sprint("known", i), "1")
			c.subscribe(kind, fmt.Sprint("known", i))
		}
		names := make([]string, maxUnknownNames)
		for i := range names {
			names[i] = fmt.Sprint("unknown", i)
		}
		c.subscribe(kind, names...)
		for c.q.next(c.snapshot, c.now) != nil {
			c.ack(kind)
		}
		c.subscribe(kind, "known1")
		for c.q.next(c.snapshot, c.now) != nil {
			c.ack(kind)
		}
		if _, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{TypeUrl: kind.URL(), ResourceNamesSubscribe: []string{"one more"}}, c.snapshot, c.now); err == nil {
			t.Errorf("%s: %d unknown names are accepted", kind, maxUnknownNames+1)
		}
	}
}

// TestChangesOfUnknownNamesAreNotRecorded changes resources that the client has not asked for.
func TestChangesOfUnknownNamesAreNotRecorded(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Routes, "other", "1")
	c.q.markTypeChanged(resourcetype.Extensions, c.snapshot, c.now)
	c.put(resourcetype.Extensions, "e", "1")
	c.q.markTypeChanged(resourcetype.Routes, c.snapshot, c.now)
	if dirty := c.q.types[resourcetype.Routes].dirty; len(dirty) != 1 || len(c.q.types[resourcetype.Extensions].dirty) > 0 {
		t.Errorf("changed are %v and %v, want r and nothing", dirty, c.q.types[resourcetype.Extensions].dirty)
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
		"a takeover before routes": {func(q *sequencer) {
			q.routesMissingSince = now
			q.takeover = &takeover{drainsAt: now.Add(time.Second), endsAt: now.Add(time.Minute)}
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

// TestReleasedBase ends the use of a base that nothing is built from any more.
func TestReleasedBase(t *testing.T) {
	v := versions{base: NewBase(map[string]resource.Version{"a": stateUnknown})}
	v.compact(nil)
	if got, known := v.get("a"); v.base != nil || !known || got != stateUnknown {
		t.Errorf("a has version %v, known %t, base %v; want what it was, without a base", got, known, v.base)
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

// TestLatencyOfAnswersOnly counts requests that answer nothing.
func TestLatencyOfAnswersOnly(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	m.countRequest(requestResult{Type: resourcetype.Clusters}, 0)
	if got := testutil.CollectAndCount(m.latency); got != 0 {
		t.Errorf("the latency of %d types is counted, want none", got)
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
}
