package verdict

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// TestTrustDomainMoves_FailsNoRequest moves the mesh to another trust domain and back, in the steps of a rotation, under a load of about 200
// requests a second. Sidecars reuse their connections. No request may fail, and what is denied stays denied.
func TestTrustDomainMoves_FailsNoRequest(t *testing.T) {
	n := newNetwork(t, 2*responseTimeout, len(pods))
	n.Reset(t, flippingMesh())
	requests := []Request{webRequest("/a"), {Pod: 0, To: netip.AddrPortFrom(virtualAddress(1), 81)}}
	denied := webRequest("/a")
	denied.Pod = len(pods) - 1
	want := n.send(denied)
	l := n.startLoad(requests)
	for _, move := range [][2]string{{trustDomain, "new.test"}, {"new.test", trustDomain}, {trustDomain, "new.test"}} {
		n.moveTrustDomain(t, l, move[0], move[1])
		if got := n.send(denied); got != want {
			t.Errorf("in the trust domain %s a denied request saw %q, before %q", move[1], got, want)
		}
	}
	samples := l.end()
	for _, s := range samples {
		if !slices.Contains([]string{"p1:8080", "p2:8080", "p3:8080", "p1:9000", "p2:9000", "p3:9000"}, s.seen) {
			t.Errorf("%s saw %q", requests[s.request], s.seen)
		}
	}
	t.Logf("%d requests", len(samples))
}

// stepPause is the time between an acknowledgement and the next step. A sidecar acknowledges a change before its workers apply it, and requests
// go on with an earlier certificate until then. A rotation leaves at least five seconds for each step.
const stepPause = time.Second

// moveTrustDomain takes the steps of a rotation. Each waits until all sidecars have the earlier one.
func (n *Network) moveTrustDomain(t *testing.T, l *load, from, to string) {
	t.Helper()
	both := identity.AcceptedTrustDomains(from, to)
	switched := both
	switched.Issued = to
	closing := switched
	closing.Servers = []string{to}
	moved := closing
	moved.Clients = []string{to}
	for i, step := range []identity.TrustDomains{both, switched, closing, moved} {
		n.control.manager.SetRoot(n.control.root.In(step))
		n.waitForCertificates(t, step.Issued)
		if problem := n.waitAcknowledged(); problem != "" {
			t.Fatalf("step %d from %s to %s: %s", i, from, to, problem)
		}
		time.Sleep(stepPause)
		l.round()
	}
}

// waitForCertificates waits until all sidecars have acknowledged a certificate in a trust domain.
func (n *Network) waitForCertificates(t *testing.T, domain string) {
	t.Helper()
	for deadline := time.Now().Add(acknowledgeLimit); ; time.Sleep(interval) {
		isLate := func(p status.Proxy) bool { return p.UsesCertificates && p.CertificateTrustDomain != domain }
		if !slices.ContainsFunc(n.control.store.Proxies(), isLate) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all sidecars have certificates in the trust domain %s", domain)
		}
	}
}
