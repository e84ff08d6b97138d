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

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// telling runs a Teller; members are the namespaces of the mesh.
func telling(t *testing.T, members map[string]bool, leading func() bool) (*Teller, *events.FakeRecorder) {
	t.Helper()
	recorder := events.NewFakeRecorder(20)
	teller := &Teller{
		recorder: recorder, leading: leading, log: logr.Discard(), wake: make(chan struct{}, 1), notes: map[catalog.Ref]note{},
		inMesh: func(_ context.Context, namespace string) (bool, error) { return members[namespace], nil },
	}
	return teller, recorder
}

func pointed(namespace, name string, uid types.UID) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}}
}

func told(recorder *events.FakeRecorder) []string {
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

func TestThreat27PartsThatHaveNoPlaceInTheMeshAreTold(t *testing.T) {
	udp := []ingest.Problem{{Reason: ingest.ReasonNotCaptured, Message: "Port 53 speaks UDP.", Warning: true}}
	unknown := []ingest.Problem{{Reason: ingest.ReasonUnknownProtocol, Message: "Port 80 speaks what nobody knows."}}
	leads := false
	members := map[string]bool{"shop": true}
	teller, recorder := telling(t, members, func() bool { return leads })
	ctx := t.Context()
	expect := func(what string, want ...string) {
		t.Helper()
		if leads {
			teller.tell(ctx)
		}
		got := told(recorder)
		if len(got) != len(want) {
			t.Errorf("%s: told %q, want %d Events", what, got, len(want))
			return
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: told %q, want %q", what, got[i], want[i])
			}
		}
	}
	teller.Hear(catalog.KindService, pointed("shop", "dns", ""), udp)
	teller.Hear(catalog.KindService, pointed("elsewhere", "dns", ""), udp)
	expect("another replica leads")
	leads = true
	expect("this one leads now", "Warning NotCaptured Port 53 speaks UDP.")
	expect("nothing new")
	teller.Hear(catalog.KindService, pointed("shop", "dns", ""), udp)
	expect("the same again")
	teller.Hear(catalog.KindService, pointed("shop", "dns", ""), append(udp, unknown...))
	expect("something else", "Port 53 speaks UDP. Port 80 speaks what nobody knows.")
	teller.Hear(catalog.KindService, pointed("shop", "dns", ""), nil)
	teller.Hear(catalog.KindService, pointed("shop", "dns", ""), udp)
	expect("mended, and broken again", "Port 53")
	teller.Hear(catalog.KindService, pointed("shop", "dns", "another"), udp)
	expect("deleted and made again unseen", "Port 53")
	teller.Hear(catalog.KindTrafficTarget, pointed("shop", "policy", ""), unknown)
	expect("a kind with a status")
	members["elsewhere"] = true
	expect("a namespace that joined", "Port 53")
}

// TestTellerWakes runs it as the control plane does.
func TestTellerWakes(t *testing.T) {
	teller, recorder := telling(t, map[string]bool{"shop": true}, func() bool { return true })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- teller.Run(ctx) }()
	long := []ingest.Problem{{Reason: ingest.ReasonRefusedAddress, Message: strings.Repeat("é", 2000)}}
	teller.Hear(catalog.KindEndpointSlice, pointed("shop", "slice", ""), long)
	select {
	case event := <-recorder.Events:
		if len(event) > maxNote+50 || !strings.HasSuffix(event, "é...") {
			t.Errorf("the Event has %d bytes and ends in %q", len(event), event[len(event)-5:])
		}
	case <-time.After(5 * time.Second):
		t.Error("nothing was told")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
