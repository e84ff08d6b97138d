package feed

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// TestFeed_ReportsProblems adds an object with problems, fixes it and deletes it. Each step must be reported.
func TestFeed_ReportsProblems(t *testing.T) {
	var reported []string
	record := func(kind entity.Kind, object client.Object, problems []ingest.Problem) {
		text := string(kind) + " " + object.GetName()
		for _, problem := range problems {
			text += " " + problem.Reason
		}
		reported = append(reported, text)
	}
	feed := New(Config{Sink: new(changes), Log: logr.Discard(), Now: time.Now, Problems: record})
	source := kinds.SourceOf(entity.KindService, &corev1.Service{}, ingest.Service)
	d := newDeletionGuard(nil, func(entity.Ref) {}, logr.Discard())
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "dns"}}
	service.Spec.Ports = []corev1.ServicePort{{Port: 53, Protocol: corev1.ProtocolUDP}}
	feed.set(source, d, service)
	mended := service.DeepCopy()
	mended.Spec.Ports[0].Protocol = corev1.ProtocolTCP
	feed.set(source, d, mended)
	feed.set(source, d, service)
	feed.remove(t.Context(), source, d, service)
	if diff := cmp.Diff([]string{"Service dns NotCaptured", "Service dns", "Service dns NotCaptured", "Service dns"}, reported); diff != "" {
		t.Errorf("reported problems differ (-want +got):\n%s", diff)
	}
}
