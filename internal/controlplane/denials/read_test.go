package denials

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestReport has a denial of each kind, with and without what may be missing.
func TestReport(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	denial := func(k Key) Denial {
		return Denial{Key: k, Latest: webPort, Count: 3, AtLeast: true, Since: at, Last: at.Add(time.Second), Rate: 2}
	}
	common := report.Denial{Address: webPort.String(), Side: report.AtClient, Reason: NoPolicy, Count: 3, AtLeast: true, Rate: 2, Since: at.UTC(), Last: at.Add(time.Second).UTC()}
	for name, test := range map[string]struct {
		key  Key
		edit func(*report.Denial)
	}{
		"nothing known": {Key{Reason: NoPolicy}, func(*report.Denial) {}},
		"at the client": {
			Key{Client: thief.Account, Workload: inventory.Workload{Kind: "Deployment", Name: "thief"}, Service: Name("shop", "web"), Address: webPort, Reason: NoPolicy},
			func(d *report.Denial) {
				d.Client, d.ClientWorkload, d.Service = "shop/thief", "deployment/thief", "shop/web"
			},
		},
		"other destinations": {
			Key{Client: thief.Account, Reason: NoPolicy, Others: true},
			func(d *report.Denial) { d.Client, d.Address = "shop/thief", report.OtherAddresses },
		},
		"at the server": {
			Key{Client: thief.Account, Server: web.Account, Reason: NoPolicy},
			func(d *report.Denial) { d.Client, d.Server, d.Side = "shop/thief", "shop/web", report.AtServer },
		},
		"other clients": {
			Key{Server: web.Account, Reason: NoPolicy, Others: true},
			func(d *report.Denial) { d.Client, d.Server, d.Side = report.OtherClients, "shop/web", report.AtServer },
		},
	} {
		want := common
		test.edit(&want)
		if diff := cmp.Diff(want, denial(test.key).Report()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOrderOfDenials has the sum of others after the denial that has as much in common with it as possible.
func TestOrderOfDenials(t *testing.T) {
	ordered := []Key{
		{Server: web.Account, Reason: NoCertificate},
		{Server: web.Account, Reason: NoPolicy},
		{Server: web.Account, Reason: NoPolicy, Others: true},
		{Client: thief.Account, Reason: NoPolicy},
	}
	for i := range ordered {
		for j := range ordered {
			if got := ordered[i].compare(ordered[j]); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%+v compared with %+v: %d", ordered[i], ordered[j], got)
			}
		}
	}
}

// TestNamesMayBeMissing has no view of the mesh. Without denials none is needed.
func TestNamesMayBeMissing(t *testing.T) {
	down := errors.New("the control plane is starting")
	views := func(context.Context, func(*catalog.View)) error { return down }
	s := newTestStore(newClock())
	s.Drop(2)
	s.Drop(-1)
	if list, dropped, err := s.Named(t.Context(), views); len(list) != 0 || dropped != 2 || err != nil {
		t.Errorf("without denials: %v, %d dropped, %v", list, dropped, err)
	}
	s.Record(thief, []Event{{Address: webPort, Reason: NoPolicy}}, false)
	if list, dropped, err := s.Named(t.Context(), views); len(list) != 1 || dropped != 2 || !errors.Is(err, down) {
		t.Errorf("without names: %v, %d dropped, %v", list, dropped, err)
	}
}

// TestOmittedDenialsAreSaid reports denials of which the sidecar may have omitted some.
func TestOmittedDenialsAreSaid(t *testing.T) {
	s := newTestStore(newClock())
	record := func(atLeast ...bool) bool {
		for _, a := range atLeast {
			s.Record(thief, []Event{{Address: port(len(atLeast)), Reason: NoPolicy}}, a)
		}
		list, _ := s.Read()
		i := slices.IndexFunc(list, func(d Denial) bool { return int(d.Address.Port()) == len(atLeast) })
		return list[i].AtLeast
	}
	if record(false) || !record(false, true) || !record(true, false, false) {
		list, _ := s.Read()
		t.Errorf("denials %+v: want two that say that some may be missing", list)
	}
}

// TestStreamsOfAPodEnd opens as many streams as a pod may have, again after they have ended.
func TestStreamsOfAPodEnd(t *testing.T) {
	s := newTestStore(newClock())
	for range 2 {
		var ends []func()
		for range MaxStreamsOfPod {
			end, err := s.Begin("pod")
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		for _, end := range ends {
			end()
		}
	}
}
