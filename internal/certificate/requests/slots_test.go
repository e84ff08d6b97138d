package requests

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// An approver neither approves nor denies the requests of one namespace. A workload of another one gets a slot when the first of them end.
func TestPendingRequestsDoNotDelayOtherNamespaces(t *testing.T) {
	const timeout = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		r, _, seen := newRequester(t, timeout)
		request := func(namespace string, i int) {
			_, _ = r.Request(certificate.ExternalIssuer{}, identity.ServiceAccount{Namespace: namespace, Name: fmt.Sprint(i)}, nil, time.Hour)
		}
		for i := range 10 * maxConcurrent {
			go request("pending", i)
		}
		synctest.Wait()
		request("shop", 0)
		time.Sleep(20 * timeout)
		synctest.Wait()
		at := -1
		for i, one := range *seen {
			if one.Annotations[workloadAnnotation] == "shop/0" {
				at = i
			}
		}
		if at < maxConcurrent || at >= 2*maxConcurrent {
			t.Errorf("the request for shop was number %d, want one of those after the first %d", at, maxConcurrent)
		}
		if len(*seen) != 10*maxConcurrent+1 {
			t.Errorf("%d requests were sent, want %d", len(*seen), 10*maxConcurrent+1)
		}
	})
}

func TestSlotsAreGrantedInTurn(t *testing.T) {
	s := newSlots(1)
	s.acquire("a")
	waiting := []struct {
		name    string
		granted <-chan struct{}
	}{{"a1", s.enqueue("a")}, {"a2", s.enqueue("a")}, {"b1", s.enqueue("b")}, {"a3", s.enqueue("a")}, {"b2", s.enqueue("b")}}
	for _, want := range []string{"a1", "b1", "a2", "b2", "a3"} {
		s.release()
		for i, w := range waiting {
			select {
			case <-w.granted:
				if w.name != want {
					t.Errorf("%s was granted, want %s", w.name, want)
				}
				waiting[i].granted = nil
			default:
			}
		}
	}
	s.release()
	if s.enqueue("a") != nil || s.enqueue("b") == nil {
		t.Error("a released slot is not free, or more than one is")
	}
}
