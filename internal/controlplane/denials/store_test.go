package denials

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0)} }

func (c *clock) wait(d time.Duration) { c.now = c.now.Add(d) }

func newTestStore(c *clock) *Store { return NewStore(func() time.Time { return c.now }) }

var (
	thief    = Reporter{Account: SA("shop", "thief"), Workload: inventory.Workload{Kind: "Deployment", Name: "thief"}, IPs: []netip.Addr{netip.MustParseAddr("10.0.0.9")}}
	web      = Reporter{Account: SA("shop", "web"), IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	webPort  = netip.MustParseAddrPort("10.96.0.1:80")
	atServer = netip.MustParseAddrPort("10.0.0.1:8080")
)

func events(n int, e Event) []Event {
	list := make([]Event, n)
	for i := range list {
		list[i] = e
	}
	return list
}

// TestRatesAreOfTheLastMinute denies ten times, twice, and reads later.
func TestRatesAreOfTheLastMinute(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	began := c.now
	check := func(step string, count uint64, rate float64) {
		t.Helper()
		list, _ := s.Read()
		if len(list) != 1 || list[0].Count != count || list[0].Rate != rate || !list[0].Since.Equal(began) {
			t.Errorf("%s: %+v, want %d since %s at %g per second", step, list, count, began, rate)
		}
	}
	s.Record(thief, events(10, Event{Address: webPort, Reason: NoPolicy}), false)
	check("at once", 10, 2)
	c.wait(10 * time.Second)
	check("ten seconds later", 10, 1)
	s.Record(thief, events(20, Event{Address: webPort, Reason: NoPolicy}), false)
	c.wait(20 * time.Second)
	check("again", 30, 1)
	c.wait(time.Minute)
	check("long after", 30, 0)
	c.wait(Expiry)
	if list, _ := s.Read(); len(list) > 0 || len(s.accounts) > 0 || len(s.namespaces) > 0 {
		t.Errorf("after an hour %+v is kept", list)
	}
}

// TestReportsAreAboutTheReporter has a client that reports addresses of others, and a server that reports clients.
func TestReportsAreAboutTheReporter(t *testing.T) {
	s := newTestStore(newClock())
	s.Record(thief, []Event{{Address: webPort, Client: SA("shop", "admin"), Service: Name("shop", "web"), Reason: NoPolicy}}, false)
	s.Record(web, []Event{{Address: atServer, Client: SA("shop", "buyer"), Service: Name("shop", "web"), Reason: ExternalAuthorization}}, false)
	want := []Key{
		{Client: SA("shop", "buyer"), Server: SA("shop", "web"), Service: Name("shop", "web"), Reason: ExternalAuthorization},
		{Client: SA("shop", "thief"), Workload: thief.Workload, Address: webPort, Reason: NoPolicy},
	}
	var got []Key
	list, _ := s.Read()
	for _, d := range list {
		got = append(got, d.Key)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestServicesAreNamed has the address of a Service, and servers that report a Service of their own and one of others.
func TestServicesAreNamed(t *testing.T) {
	view := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, Pod("shop", "web-0", "web", "web", "10.0.0.1"),
		Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Service("shop", "bank", "bank", "10.96.0.2", 80, inventory.ProtocolHTTP)).View()
	s := newTestStore(newClock())
	s.Record(thief, []Event{{Address: webPort, Reason: NoPolicy}, {Address: netip.MustParseAddrPort("203.0.113.9:443"), Reason: NoPolicy}}, false)
	for _, service := range []string{"web", "bank"} {
		s.Record(web, []Event{{Address: atServer, Service: Name("shop", service), Reason: NoCertificate}}, false)
	}
	views := func(_ context.Context, f func(*catalog.View)) error {
		f(view)
		return nil
	}
	err := testutil.CollectAndCompare(NewCollector(s, views), strings.NewReader(`
# HELP osm_denied_total Connections and requests that policies denied, as sidecars report them.
# TYPE osm_denied_total counter
osm_denied_total{destination_address="",destination_namespace="shop",destination_service="web",reason="no certificate of the mesh",side="server",source_account="",source_namespace=""} 1
osm_denied_total{destination_address="",destination_namespace="shop",destination_service="web",reason="no policy",side="client",source_account="thief",source_namespace="shop"} 1
osm_denied_total{destination_address="203.0.113.9:443",destination_namespace="",destination_service="",reason="no policy",side="client",source_account="thief",source_namespace="shop"} 1
osm_denied_total{destination_address="shop/web",destination_namespace="shop",destination_service="",reason="no certificate of the mesh",side="server",source_account="",source_namespace=""} 1
# HELP osm_denied_dropped_total Denials that were not recorded because of a limit.
# TYPE osm_denied_dropped_total counter
osm_denied_dropped_total 0
`))
	if err != nil {
		t.Error(err)
	}
}

// TestInventedClientsAreOthers has a server that says that it denied an account which does not exist.
func TestInventedClientsAreOthers(t *testing.T) {
	view := Apply(&catalog.ServiceAccount{Name: entity.Name(thief.Account), UID: "1"}).View()
	s := newTestStore(newClock())
	for _, client := range []identity.ServiceAccount{thief.Account, SA("bank", "teller"), {}} {
		s.Record(web, []Event{{Address: atServer, Client: client, Reason: NoPolicy}}, false)
	}
	s.Record(Reporter{Account: SA("bank", "clerk")}, []Event{{Address: webPort, Reason: NoPolicy}}, false)
	list, _, err := s.Named(t.Context(), func(_ context.Context, f func(*catalog.View)) error {
		f(view)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range list {
		got = append(got, d.Report().Side+" "+d.Report().Client)
	}
	slices.Sort(got)
	want := []string{"client bank/clerk", "server ", "server " + report.OtherClients, "server shop/thief"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestMemoryIsBounded has accounts of one namespace that call and deny more than the limits. An honest account elsewhere is recorded.
func TestMemoryIsBounded(t *testing.T) {
	s := newTestStore(newClock())
	const tries = 200
	for account := range 100 {
		r := Reporter{Account: SA("evil", fmt.Sprint(account)), IPs: web.IPs}
		for i := range uint16(tries) {
			s.Record(r, []Event{
				{Address: netip.AddrPortFrom(webPort.Addr(), i), Reason: NoPolicy},
				{Address: atServer, Client: identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)}, Reason: NoPolicy},
			}, false)
		}
	}
	s.Record(thief, []Event{{Address: webPort, Reason: NoPolicy}}, false)
	list, dropped := s.Read()
	var sum uint64
	others, honest := 0, false
	for _, d := range list {
		sum += d.Count
		honest = honest || d.Client == thief.Account && d.Address == webPort
		if d.Others {
			others++
		}
	}
	if len(list) != maxOfNamespace+1 || !honest || others == 0 || sum+dropped != 100*2*tries+1 {
		t.Errorf("%d entries, %d of others, the honest one recorded: %v, %d denials recorded and %d dropped", len(list), others, honest, sum, dropped)
	}
	for i := range 100 {
		for account := range 100 {
			s.Record(Reporter{Account: SA(fmt.Sprint("n", i), fmt.Sprint(account))}, []Event{{Address: webPort, Reason: NoPolicy}, {Address: atServer, Reason: NoPolicy}}, false)
		}
	}
	if list, _ := s.Read(); len(list) != maxEntries {
		t.Errorf("%d entries, want at most %d", len(list), maxEntries)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := newTestStore(newClock())
	var ends []func()
	for pod := range MaxStreams {
		end, err := s.Begin(entity.InstanceID(fmt.Sprint(pod)))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	if _, err := s.Begin("late"); err == nil {
		t.Error("a stream above the limit begins")
	}
	for _, end := range ends {
		end()
	}
	for range MaxStreamsOfPod {
		if _, err := s.Begin("late"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Begin("late"); err == nil {
		t.Error("a stream above the limit of a pod begins")
	}
}
