package verdict

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestFlips_FailNoRequest changes policies, loggers and connection managers under a load of about 200 requests a second. A permanent grant allows each
// request at every backend, so each must reach an application.
func TestFlips_FailNoRequest(t *testing.T) {
	// No request may fail because of a timeout.
	n := newNetwork(t, 2*responseTimeout, len(pods))
	n.Reset(t, flippingMesh())
	requests := []Request{
		webRequest("/a"), webRequest("/a", authz.Header{Name: "x-user", Value: "alice"}), webRequest("/b/c", authz.Header{Name: "x-user", Value: "bob"}),
		{Pod: 0, To: netip.AddrPortFrom(virtualAddress(1), 81)},
	}
	const flips = 400
	choose := rand.New(rand.NewPCG(1, 2))
	l := n.startLoad(requests)
	for range flips {
		flip := anyFlip(choose)
		before := n.State
		n.State = before.with([]catalog.Change{flip})
		n.control.apply(changes(before.entries(), n.State.entries()))
		// Some changes arrive while sidecars still apply the earlier one.
		if choose.IntN(3) == 0 {
			l.round()
		}
	}
	if problem := n.waitAcknowledged(); problem != "" {
		t.Error(problem)
	}
	l.round()
	samples := l.end()
	answered := map[string]int{}
	for _, s := range samples {
		answered[s.seen]++
		if !slices.Contains([]string{"p1:8080", "p2:8080", "p3:8080", "p1:8081", "p2:8081", "p3:8081", "p1:9000", "p2:9000", "p3:9000"}, s.seen) {
			t.Errorf("%s saw %q", requests[s.request], s.seen)
		}
	}
	if len(answered) < 4 {
		t.Errorf("only %v answered: the changes had no effect", answered)
	}
	t.Logf("%d requests during %d flips: %v", len(samples), flips, answered)
}

// flippingMesh returns three Services that select all pods of namespace a, and that pod p1 may call.
func flippingMesh() State {
	w := podsOnly()
	add := func(e catalog.Entry) { w[e.Ref()] = e }
	for i := range 3 {
		add(flippingService(i))
	}
	add(authorizerOfFlips())
	add(Group("a", "always", "/.*"))
	add(&catalog.TCPRoute{Name: Name("a", "always")})
	for _, sa := range accounts[:2] {
		add(Target("http-"+sa.Name, sa, []catalog.TargetRule{HTTP("always")}, accounts[0]))
		add(Target("tcp-"+sa.Name, sa, []catalog.TargetRule{TCP("always")}, accounts[0]))
	}
	add(&catalog.Settings{RetryPolicies: true, IngressBackends: true})
	return w
}

func flippingService(i int) *inventory.Service {
	s := Service("a", services[i].name.Name, "x", virtualAddress(services[i].address).String(), 80, inventory.ProtocolHTTP)
	s.Ports = []inventory.Port{
		{Name: "web", Number: 80, TargetPort: []uint16{webPort, otherPort, webPort}[i], Protocol: inventory.ProtocolHTTP},
		{Name: "echo", Number: 81, TargetPort: echoPort, Protocol: inventory.ProtocolTCP},
	}
	return s
}

func webRequest(path string, headers ...authz.Header) Request {
	return Request{
		Pod: 0, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "GET", Path: path,
		Headers: append([]authz.Header{{Name: ":authority", Value: "s1"}}, headers...),
	}
}

func flippingSplit(name string, groups []string, choose *rand.Rand) *catalog.TrafficSplit {
	s := &catalog.TrafficSplit{Name: Name("a", name), Root: services[0].name, Matches: groups, Created: time.Unix(choose.Int64N(3), 0)}
	for i := range 3 {
		s.Backends = append(s.Backends, catalog.SplitBackend{Service: services[i].name, Weight: choose.Uint32N(3)})
	}
	// One backend always has a weight, because a split without weights denies requests.
	s.Backends[choose.IntN(3)].Weight++
	return s
}

func flippingLimits(choose *rand.Rand) *upstream.Policy {
	limit, rate := plenty+choose.Uint32N(2), upstream.RateLimit{Tokens: plenty + choose.Uint32N(2), Interval: time.Second}
	u := &upstream.Policy{
		Kind: upstream.Kind, Name: Name("a", "limits"), Service: services[choose.IntN(3)].name,
		Connections: upstream.ConnectionSettings{
			MaxConnections: &limit, MaxPendingRequests: &limit, RequestTimeout: responseTimeout / time.Duration(1+choose.IntN(2)),
			HTTPIdleTimeout: responseTimeout, TCPIdleTimeout: responseTimeout / time.Duration(1+choose.IntN(2)),
		},
		ConnectionRate: &rate, RequestRate: &upstream.RequestRateLimit{RateLimit: rate, Status: 429},
		Routes: []upstream.RouteRateLimit{{Path: "/.*", Limit: upstream.RequestRateLimit{RateLimit: rate, Status: 429}}},
	}
	if choose.IntN(2) == 0 {
		u.HealthCheck = &upstream.HealthCheck{Interval: time.Second, Timeout: time.Second, UnhealthyThreshold: 3, HealthyThreshold: 1}
	}
	return u
}

func pick[T any](choose *rand.Rand, list ...T) T { return list[choose.IntN(len(list))] }
