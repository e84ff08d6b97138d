package certificates

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// A rotation that waits for one forgotten pod ends in an outage when the old root expires. Users must see it earlier.
func TestRotationThatWaitsIsReported(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var waiting []string
	for i := range 12 {
		waiting = append(waiting, fmt.Sprintf("the sidecar of shop/web-%d has not acknowledged the new root", i))
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRotatingAuthority, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}}
	recorder := events.NewFakeRecorder(1000)
	now := noon
	r := &Reconciler{Cluster: &observe.Cluster{Now: func() time.Time { return now }}, Recorder: recorder}
	for ; now.Before(noon.Add(3*time.Hour + time.Minute)); now = now.Add(rotationInterval) {
		r.remind(&pass{mesh: mesh}, rotation.Decision{Phase: rotation.WaitingForTrust, Waiting: waiting})
	}
	if n := len(recorder.Events); n != 3 {
		t.Fatalf("%d Events in three hours, want 3", n)
	}
	if text := <-recorder.Events; !strings.Contains(text, "RotationWaits") || !strings.Contains(text, "1h0m0s") || !strings.Contains(text, "web-9") || !strings.Contains(text, "2 more") {
		t.Errorf("the Event is %s, want that it names ten sidecars", text)
	}
}
