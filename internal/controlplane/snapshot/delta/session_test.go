package delta

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestAnswersAreRecorded accepts and rejects responses, and asks for certificates.
func TestAnswersAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.texts.put(resourcetype.Clusters, "c", "1")
		s.begin(t)
		recorded := func() status.Proxy {
			var p status.Proxy
			s.stream.Acknowledgements().WriteTo(&p)
			return p
		}
		s.subscribe(resourcetype.Clusters)
		if got := recorded().Types[resourcetype.Clusters]; got.Sent != 1 || got.Acknowledged+got.Rejected != 0 || !got.AnsweredAt.IsZero() {
			t.Errorf("after a response: %+v, want one that was sent and not answered", got)
		}
		s.answer("")
		if got := recorded().Types[resourcetype.Clusters]; got.Acknowledged != 1 || got.Rejected != 0 || len(s.log) != 0 || len(s.rejected) != 0 {
			t.Errorf("after it was accepted: %+v, log %q, rejected %v; want one acknowledged", got, s.log, s.rejected)
		}
		s.change(resourcetype.Clusters, "c", "2")
		s.answer("no such thing")
		if got := recorded().Types[resourcetype.Clusters]; got.Rejected != 1 || got.Rejection == "" {
			t.Errorf("after one was rejected: %+v, want one rejected, with the message", got)
		}
		if len(s.rejected) != 1 || s.rejected[0].Name != "c" || s.rejected[0].Message != "no such thing" {
			t.Errorf("the owner was told of %+v, want cluster c with the message", s.rejected)
		}
		if len(s.log) != 1 || !strings.Contains(s.log[0], "shop/cart") || !strings.Contains(s.log[0], "no such thing") {
			t.Errorf("the log is %q, want a line with the pod and the message", s.log)
		}
		for metric, want := range map[string]float64{"requests": 3, "rejections": 1} {
			counter := map[string]*prometheus.CounterVec{"requests": s.metrics.requests, "rejections": s.metrics.rejections}[metric]
			if got := testutil.ToFloat64(counter.WithLabelValues("CDS")); got != want {
				t.Errorf("%v %s of clusters are counted, want %v", got, metric, want)
			}
		}
		if recorded().UsesCertificates {
			t.Error("a client that has not asked for a certificate uses one")
		}
		s.subscribe(resourcetype.Secrets, envoy.ServiceCertName, envoy.ServiceCertName+":other")
		if got := recorded(); !got.UsesCertificates || testutil.ToFloat64(s.metrics.otherCertificates) != 1 {
			t.Errorf("uses certificates: %t, %v of others; want true and 1", got.UsesCertificates, testutil.ToFloat64(s.metrics.otherCertificates))
		}
		s.request(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Secrets.URL(), ResourceNamesUnsubscribe: []string{envoy.ServiceCertName, envoy.ServiceCertName + ":other"}})
		if recorded().UsesCertificates {
			t.Error("a client without subscriptions uses a certificate")
		}
		s.subscribe(resourcetype.Routes, envoy.ServiceCertName+":r")
		if got := testutil.ToFloat64(s.metrics.otherCertificates); got != 1 {
			t.Errorf("%v certificates of others were asked for, want 1: routes are none", got)
		}
		s.stop()
	})
}

// TestBatchesOfAStreamAreTraced sends a change ten seconds after the batch began. The client answers two seconds later: it accepts or rejects it.
func TestBatchesOfAStreamAreTraced(t *testing.T) {
	for message, want := range map[string]status.Trace{
		"":              {Acknowledged: 1},
		"no such thing": {Rejected: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServing(t)
			s.texts.put(resourcetype.Clusters, "c", "1")
			s.begin(t)
			for _, kind := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Listeners} {
				s.subscribe(kind)
				s.answer("")
			}
			tracer := status.NewTracer(prometheus.NewRegistry(), nil)
			trace := tracer.Begin(status.Batch{QueuedAt: time.Now()}, time.Now(), func(catalog.Change) bool { return false })
			time.Sleep(10 * time.Second)
			s.texts.put(resourcetype.Clusters, "c", "2")
			s.stream.Notify(clusters("c"), time.Now(), trace)
			tracer.Finish(trace, time.Now())
			synctest.Wait()
			open := tracer.List(func(status.PendingPods) {})[0]
			if open.Open != 1 || open.Duration != 0 {
				t.Errorf("%q: before the answer, %d streams are open for %s, want 1 without a time", message, open.Open, open.Duration)
			}
			time.Sleep(2 * time.Second)
			s.answer(message)
			got := tracer.List(func(status.PendingPods) {})[0]
			if got.Acknowledged != want.Acknowledged || got.Rejected != want.Rejected || got.Stages[status.StageAcknowledge] != 2*time.Second || got.Duration != 12*time.Second {
				t.Errorf("%q: the trace is %+v, want %d accepted, %d rejected, an answer after 2s and 12s in all", message, got, want.Acknowledged, want.Rejected)
			}
			s.stop()
		})
	}
}

// TestReportedCertificateIsRecorded connects a client that has a certificate from an earlier stream.
func TestReportedCertificateIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.begin(t)
		s.request(&discovery.DeltaDiscoveryRequest{
			TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: []string{envoy.ServiceCertName}, InitialResourceVersions: map[string]string{envoy.ServiceCertName: "v"},
		})
		var p status.Proxy
		s.stream.Acknowledgements().WriteTo(&p)
		if p.AwaitsCertificate {
			t.Error("a client that has a certificate waits for one")
		}
		s.stop()
	})
}

// TestUsedDestinationsAreReported asks for a destination that exists and for one that does not.
func TestUsedDestinationsAreReported(t *testing.T) {
	known, unknown := onDemand(1), onDemand(2)
	for _, reports := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newServing(t)
			var used []string
			if reports {
				s.options.UseDestination = func(name string, earlier bool) { used = append(used, fmt.Sprint(name, earlier)) }
			}
			s.texts.addDestination(1)
			s.begin(t)
			s.subscribe(resourcetype.Clusters, known, unknown)
			if want := []string{known + "true"}; reports && !slices.Equal(used, want) {
				t.Errorf("used destinations are %v, want %v", used, want)
			}
			if got := s.stream.Destinations(); len(got) != 2 {
				t.Errorf("the client has %v, want both: the second may come to exist", got)
			}
			if got := testutil.ToFloat64(s.metrics.unknownDestinations); got != 1 {
				t.Errorf("%v unknown destinations are counted, want 1", got)
			}
			s.stop()
		})
	}
}

// TestMovedStreamUsesItsNewSnapshot moves a stream to another snapshot.
func TestMovedStreamUsesItsNewSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		s.begin(t)
		s.subscribe(resourcetype.Clusters)
		s.answer("")
		other := newConversation(t)
		other.put(resourcetype.Clusters, "moved", "1")
		s.stream.Move(&lockedSnapshot{fakeSnapshot: other.snapshot}, time.Now(), nil)
		synctest.Wait()
		if last := s.last(); len(last.Resources) != 1 || last.Resources[0].Name() != "moved" {
			t.Errorf("last sent was %+v, want the cluster of the new snapshot", last)
		}
		s.stop()
	})
}

// TestSnapshotIsReleasedWhenTheStreamMoves moves a stream between the choice of its snapshot and the lock of that.
func TestSnapshotIsReleasedWhenTheStreamMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		first, other := s.snapshot, newConversation(t)
		second := &lockedSnapshot{fakeSnapshot: other.snapshot}
		moved := false
		first.onLock = func() {
			if !moved {
				moved = true
				s.stream.Move(second, time.Now(), nil)
			}
		}
		s.begin(t)
		if !moved || first.readers.Load() != 0 || !second.read.Load() {
			t.Errorf("moved: %t; %d readers hold the earlier snapshot; the next one was read: %t", moved, first.readers.Load(), second.read.Load())
		}
		s.stop()
	})
}

// TestEndedStreamWritesNothing writes to a stream that has ended, or ends meanwhile.
func TestEndedStreamWritesNothing(t *testing.T) {
	s := newServing(t)
	session, cause := s.stream.NewSession(Options{}), errors.New("gone")
	broken := errors.New("broken pipe")
	if err := session.write(&Response{}, func(*Response) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a write that fails returns %v, want %v", err, broken)
	}
	if err := session.write(&Response{}, func(*Response) error { s.stream.End(cause); return nil }); !errors.Is(err, cause) || s.aborts != 1 {
		t.Errorf("a stream that ends while it writes returns %v and aborts %d times, want %v and once", err, s.aborts, cause)
	}
	if err := session.write(&Response{}, func(*Response) error { t.Error("a response is written after the end"); return nil }); !errors.Is(err, cause) {
		t.Errorf("a stream that has ended returns %v, want %v", err, cause)
	}
}

// TestOptionsReachTheStateMachine checks what a Session does with its options.
func TestOptionsReachTheStateMachine(t *testing.T) {
	s := newServing(t)
	readiness, draining := inboundListener(t, "readiness"), inboundListener(t, "draining")
	q := &s.stream.NewSession(Options{Undivided: true, ReadinessCluster: readiness, DrainingCluster: draining}).sequencer
	if !q.undivided || q.readinessCluster != readiness || q.drainingCluster != draining {
		t.Errorf("undivided %t, readiness cluster %v, draining cluster %v; want those of the options", q.undivided, q.readinessCluster, q.drainingCluster)
	}
}

// TestIdleStreamDoesNothing counts how often a stream that has nothing to do looks at the clock.
func TestIdleStreamDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t)
		var looks atomic.Int32
		s.stream.config.Now = func() time.Time { looks.Add(1); return time.Now() }
		s.begin(t)
		s.subscribe(resourcetype.Clusters)
		s.answer("")
		before := looks.Load()
		time.Sleep(time.Hour)
		if synctest.Wait(); looks.Load()-before > 10 { // the timer of the answer may fire once, after which the stream looks several times
			t.Errorf("an idle stream looks %d times at the clock within an hour, want at most 10 times", looks.Load()-before)
		}
		s.stop()
	})
}
