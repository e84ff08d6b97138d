package feed

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

type changes []catalog.Change

// Apply implements Sink.
func (c *changes) Apply(list []catalog.Change) { *c = append(*c, list...) }

// TestFeed_SetsGeneration checks the generation and the time of receipt in changes.
func TestFeed_SetsGeneration(t *testing.T) {
	moment := time.Unix(1_800_000_000, 0)
	var got changes
	source := kinds.SourceOf(entity.KindNamespace, &corev1.Namespace{}, ingestNamespace)
	feed := New(Config{Sink: &got, Log: logr.Discard(), Now: func() time.Time { return moment }})
	guard := newDeletionGuard(nil, nil, logr.Discard())
	for _, object := range []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 3, ResourceVersion: "77"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "b", ResourceVersion: "78"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "c", ResourceVersion: "what"}},
	} {
		feed.set(source, guard, object)
	}
	var versions []int64
	for _, change := range got {
		versions = append(versions, change.Generation)
		if !change.Received.Equal(moment) {
			t.Errorf("%v was received at %s", change.Ref, change.Received)
		}
	}
	if diff := cmp.Diff([]int64{3, 78, 0}, versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestEvents_CountByKindAndType(t *testing.T) {
	events := NewEvents(prometheus.NewRegistry())
	events.record(entity.KindTrafficTarget, "updated")
	if got := testutil.ToFloat64(events.count.WithLabelValues("traffictarget-updated")); got != 1 {
		t.Errorf("counted %v", got)
	}
	var none *Events
	none.record(entity.KindPod, "added")
}

func ingestNamespace(ns *corev1.Namespace) (*catalog.Namespace, []ingest.Problem) {
	return &catalog.Namespace{Name: ns.Name, Monitored: true}, nil
}
