package verdict

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// loading is a pod whose sidecar loads destinations on demand.
const loading = 2

// onDemandNetwork runs a permissive mesh with a Service at each of some addresses.
func onDemandNetwork(t *testing.T, addresses ...byte) *Network {
	t.Helper()
	n := NewNetwork(t)
	w := podsOnly()
	w.add(&catalog.Settings{Permissive: true})
	for i, address := range addresses {
		w.add(serviceAt(services[i].name.Name, address))
	}
	n.Reset(t, w)
	return n
}

// loadLimit is longer than a sidecar waits for a destination: 15 s.
const loadLimit = 20 * time.Second

func serviceAt(name string, address byte) *inventory.Service {
	s := Service("a", name, "x", virtualAddress(address).String(), 80, inventory.ProtocolHTTP)
	s.Ports[0].TargetPort = webPort
	return s
}

func getFrom(address byte) Request {
	return Request{
		Pod: loading, To: netip.AddrPortFrom(virtualAddress(address), 80), Method: "GET", Path: "/a", Headers: []authz.Header{{Name: ":authority", Value: "web"}},
	}
}

// isAnswer reports whether a pod has answered.
func isAnswer(observed string) bool { return strings.HasPrefix(observed, "p") }

// While the control plane is away, destinations that were used go on, and others are answered with 503. They work when it is back.
func TestOnDemand_WithoutControlPlane(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1, 2)
	if got := n.send(getFrom(1)); !isAnswer(got) {
		t.Fatalf("the first request to a destination sees %q", got)
	}
	n.control.gate.cut()
	if got := n.send(getFrom(1)); !isAnswer(got) {
		t.Errorf("without the control plane, a request to a destination that was used sees %q", got)
	}
	if got := n.sendWithin(loadLimit, getFrom(2)); got != "503" {
		t.Errorf("without the control plane, a request to another destination sees %q, want 503", got)
	}
	n.control.gate.restore()
	eventually.True(t, 30*time.Second, "the other destination answers", func() bool { return isAnswer(n.send(getFrom(2))) })
}

// A request waits for its destination although the control plane dies after it has read the subscription.
func TestOnDemand_ControlPlaneDiesBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1)
	n.control.gate.muted.Store(true)
	observed := make(chan string)
	go func() { observed <- n.send(getFrom(1)) }()
	time.Sleep(500 * time.Millisecond) // the subscription is read, and its answer is lost
	n.control.gate.cut()
	n.control.gate.restore()
	if got := <-observed; !isAnswer(got) {
		t.Errorf("the request sees %q, want an answer of a pod", got)
	}
}

// The header that names the destination is the sidecar's: what the application sends selects nothing, and servers do not see it.
func TestOnDemand_HeaderHasNoEffect(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1, 2)
	other := serviceAt(services[1].name.Name, 2)
	other.Ports[0].TargetPort = otherPort
	n.Step(t, []catalog.Change{catalog.Set(other)}, []Request{getFrom(1)})
	forged := getFrom(1)
	forged.Headers = append(forged.Headers, authz.Header{Name: "x-osm-destination", Value: "on-demand|" + virtualAddress(2).String() + ":80"})
	if got := n.send(forged); !strings.HasSuffix(got, ":8080") {
		t.Errorf("a request with a forged header sees %q", got)
	}
	unknown := getFrom(9)
	unknown.Headers = append(unknown.Headers, authz.Header{Name: "x-osm-destination", Value: "on-demand|" + virtualAddress(1).String() + ":80"})
	if got := n.send(unknown); got != "503" {
		t.Errorf("a request to nobody with the destination of a Service in the header sees %q, want 503", got)
	}
}

// A backend that does not exist gets its share of the requests answered at once, the first and all others: Envoy would wait for the answer to a name that it
// has asked for before, and there is none.
func TestOnDemand_BackendDoesNotExist(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1)
	n.Step(t, []catalog.Change{catalog.Set(&catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name("a", "r"), Parents: []catalog.RouteParent{{Service: services[0].name}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}},
			Backends: []catalog.RouteBackend{{Service: services[0].name, Port: 80, Weight: 1}, {Service: Name("a", "none"), Port: 80, Weight: 1}},
		}},
	})}, []Request{getFrom(1)})
	answers := map[string]int{}
	for range 40 {
		got := n.send(getFrom(1))
		if got != "500" && !isAnswer(got) {
			t.Fatalf("after %v a request sees %q, want a pod or 500", answers, got)
		}
		answers[got]++
	}
	if answers["500"] < 2 || len(answers) < 2 {
		t.Errorf("the answers are %v, want several of a pod and of 500", answers)
	}
}

// An address that another Service takes over reaches that Service, also for a sidecar that has used it, and an open connection does not lead to the old one.
func TestOnDemand_AddressIsReused(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1)
	if got := n.send(getFrom(1)); !isAnswer(got) {
		t.Fatalf("the first request sees %q", got)
	}
	other := Service("a", services[1].name.Name, "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	other.Ports[0].TargetPort = otherPort
	n.Step(t, []catalog.Change{{Ref: serviceAt(services[0].name.Name, 1).Ref()}, catalog.Set(other)}, []Request{getFrom(1)})
	if got := n.send(getFrom(1)); !strings.HasSuffix(got, ":8081") {
		t.Errorf("a request to the address sees %q, want the other Service", got)
	}
}

// unassigned returns a request to one of 600 addresses without a Service.
func unassigned(i int) Request {
	r := getFrom(0)
	r.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, byte(1 + i>>8), byte(i)}), 80)
	return r
}

// forgetAddresses makes an application try so many addresses that the stubs of the first ones are removed from its sidecar.
func (n *Network) forgetAddresses(t *testing.T) {
	t.Helper()
	n.control.apply([]catalog.Change{catalog.Set(&catalog.ServiceCIDR{Name: "more", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}})})
	eventually.True(t, 10*time.Second, "the sidecar loads all addresses", func() bool { return n.send(unassigned(0)) == "503" })
	for i := range 600 {
		if got := n.send(unassigned(i)); got != "503" {
			t.Fatalf("request %d to nobody sees %q, want 503", i, got)
		}
	}
}

// serveUnassigned adds a Service at the address of unassigned.
func (n *Network) serveUnassigned(i int) {
	s := serviceAt(fmt.Sprintf("unassigned-%d", i), 0)
	s.ClusterIPs = []netip.Addr{unassigned(i).To.Addr()}
	n.control.apply([]catalog.Change{catalog.Set(s), catalog.Set(Slice(s.Name, newPod(0, "x", ready)))})
}

// Envoy does not ask for a forgotten address again. It works all the same when a Service comes to have it: for a request that waits, after that, and after a
// reconnect. Other destinations are not affected.
func TestOnDemand_ForgottenAddressGetsAService(t *testing.T) {
	t.Parallel()
	n := onDemandNetwork(t, 1)
	n.forgetAddresses(t)
	begun := time.Now()
	if got := n.sendWithin(loadLimit, unassigned(0)); got != "503" || time.Since(begun) < 5*time.Second {
		t.Errorf("a request to a forgotten address sees %q after %s, want 503 after 15 s", got, time.Since(begun))
	}
	if got := n.send(getFrom(1)); !isAnswer(got) {
		t.Errorf("after 600 unknown addresses, the first request to a Service sees %q", got)
	}

	observed := make(chan string)
	go func() { observed <- n.sendWithin(loadLimit, unassigned(1)) }()
	time.Sleep(3 * time.Second)
	served := time.Now()
	n.serveUnassigned(1)
	got := <-observed
	if waited := time.Since(served); waited > 5*time.Second {
		t.Errorf("a request that waits for a Service sees %q %s after it exists", got, waited)
	}
	// The sidecar of the server learns of the Service at the same time, and closes connections until it has.
	if got != "503" && !isAnswer(got) {
		t.Errorf("a request that waits for 3 s until a Service exists sees %q", got)
	}
	eventually.True(t, time.Second, "the Service answers", func() bool { return isAnswer(n.sendWithin(loadLimit, unassigned(1))) })
	n.serveUnassigned(0)
	eventually.True(t, 10*time.Second, "the address that was tried first answers", func() bool { return isAnswer(n.sendWithin(loadLimit, unassigned(0))) })

	n.control.gate.cut()
	n.control.gate.restore()
	n.serveUnassigned(2)
	eventually.True(t, 30*time.Second, "a forgotten address answers after a reconnect", func() bool { return isAnswer(n.sendWithin(loadLimit, unassigned(2))) })
}
