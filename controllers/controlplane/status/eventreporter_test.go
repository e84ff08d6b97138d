package status

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// newTestReporter returns an EventReporter; members are the namespaces of the mesh.
func newTestReporter(t *testing.T, members map[string]bool, leading func() bool) (*EventReporter, *events.FakeRecorder) {
	t.Helper()
	recorder := events.NewFakeRecorder(20)
	reporter := &EventReporter{
		recorder: recorder, leading: leading, log: logr.Discard(), wake: make(chan struct{}, 1), reports: map[entity.Ref]problemReport{},
		inMesh: func(_ context.Context, namespace string) (bool, error) { return members[namespace], nil },
	}
	return reporter, recorder
}

func newService(namespace, name string, uid types.UID) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}}
}

func receivedEvents(recorder *events.FakeRecorder) []string {
	var all []string
	for {
		select {
		case event := <-recorder.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}

func TestThreat27UnsupportedPartsAreReported(t *testing.T) {
	udp := []ingest.Problem{{Reason: ingest.ReasonNotCaptured, Message: "Port 53 speaks UDP.", Warning: true}}
	unknown := []ingest.Problem{{Reason: ingest.ReasonUnknownProtocol, Message: "Port 80 has an unknown protocol."}}
	leads := false
	members := map[string]bool{"shop": true}
	reporter, recorder := newTestReporter(t, members, func() bool { return leads })
	ctx := t.Context()
	expect := func(what string, want ...string) {
		t.Helper()
		if leads {
			reporter.recordEvents(ctx)
		}
		got := receivedEvents(recorder)
		if len(got) != len(want) {
			t.Errorf("%s: Events are %q, want %d", what, got, len(want))
			return
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: Event is %q, want %q", what, got[i], want[i])
			}
		}
	}
	reporter.Record(entity.KindService, newService("shop", "dns", ""), udp)
	reporter.Record(entity.KindService, newService("elsewhere", "dns", ""), udp)
	expect("without the Lease")
	leads = true
	expect("with the Lease", "Warning NotCaptured Port 53 speaks UDP.")
	expect("nothing new")
	reporter.Record(entity.KindService, newService("shop", "dns", ""), udp)
	expect("unchanged problems")
	reporter.Record(entity.KindService, newService("shop", "dns", ""), append(udp, unknown...))
	expect("changed problems", "Port 53 speaks UDP. Port 80 has an unknown protocol.")
	reporter.Record(entity.KindService, newService("shop", "dns", ""), nil)
	reporter.Record(entity.KindService, newService("shop", "dns", ""), udp)
	expect("fixed, and broken again", "Port 53")
	reporter.Record(entity.KindService, newService("shop", "dns", "another"), udp)
	expect("recreated without a watch event", "Port 53")
	reporter.Record(entity.KindTrafficTarget, newService("shop", "policy", ""), unknown)
	expect("a kind with a status")
	members["elsewhere"] = true
	expect("a namespace that joined", "Port 53")
}

// TestEventReporter_RunRecords runs the reporter as the control plane does.
func TestEventReporter_RunRecords(t *testing.T) {
	reporter, recorder := newTestReporter(t, map[string]bool{"shop": true}, func() bool { return true })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- reporter.Run(ctx) }()
	long := []ingest.Problem{{Reason: ingest.ReasonRejectedAddress, Message: strings.Repeat("é", 2000)}}
	reporter.Record(entity.KindEndpointSlice, newService("shop", "slice", ""), long)
	select {
	case event := <-recorder.Events:
		if len(event) > message.MaxNote+50 || !strings.HasSuffix(event, "é...") {
			t.Errorf("the Event has %d bytes and ends in %q", len(event), event[len(event)-5:])
		}
	case <-time.After(5 * time.Second):
		t.Error("no Event was recorded")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
