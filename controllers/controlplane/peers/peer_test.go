package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	meshpeering "github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// rootAt returns a root that is made at a time.
func rootAt(t *testing.T, at time.Time) string {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, at)
	if err != nil {
		t.Fatal(err)
	}
	return string(root.CertPEM())
}

func meshPeer(name, domain, roots string) *operatorv1alpha1.MeshPeer {
	return &operatorv1alpha1.MeshPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 2},
		Spec: operatorv1alpha1.MeshPeerSpec{
			Mesh: "osm", TrustDomain: domain, Trust: operatorv1alpha1.PeerTrust{CABundle: operatorv1alpha1.CABundle(roots)},
			Gateways: []operatorv1alpha1.PeerGatewayAddress{{Address: "192.0.2.1"}},
		},
	}
}

// declare adds a MeshPeer to the mesh, as the feed does.
func (w *testMesh) declare(peer *operatorv1alpha1.MeshPeer) {
	if entry, _ := kinds.Peers("osm").Ingest(peer); entry != nil {
		w.set(entry)
	}
}

func (w *testMesh) peerStatus(t *testing.T, name string) operatorv1alpha1.MeshPeerStatus {
	t.Helper()
	peer := &operatorv1alpha1.MeshPeer{}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Name: name}, peer); err != nil {
		t.Fatal(err)
	}
	return peer.Status
}

func (w *testMesh) peers() *peerReconciler {
	return &peerReconciler{Writers: w.Writers, written: map[string]time.Time{}}
}

// connectedState is that of a peer which is connected.
func connectedState(now time.Time) peering.State {
	return peering.State{
		Peer: "east", Connected: true, LastConnected: now, Version: "v0.6.1", Compatible: true, Services: 3, Acknowledged: []string{strings.Repeat("a1", 32)},
	}
}

// TestConditionsOfPeers has one state of a peer after the other.
func TestConditionsOfPeers(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	valid, expired := rootAt(t, now.Add(-time.Hour)), rootAt(t, now.Add(-20*365*24*time.Hour))
	fingerprints, err := certificate.FullFingerprints([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	stopped := func(reason peering.Reason, message string) peering.State {
		return peering.State{Peer: "east", StaleSince: now, Problems: []peering.Problem{{Reason: reason, Count: 1, Message: message}}}
	}
	differing := func(until time.Time) peering.State {
		s := connectedState(now)
		s.Fingerprints, s.Trusted = []string{"abc", "def"}, meshpeering.Trusted{Differs: true, Until: until}
		return s
	}
	rejecting := connectedState(now)
	rejecting.Problems = []peering.Problem{{Reason: peering.ReasonInvalid, Count: 2, Message: `"service/shop/cart": it has no ports`}}
	apart := connectedState(now)
	apart.Compatible = false
	type conditions struct{ accepted, trust, connected, compatible, differs string }
	good := conditions{"True Accepted: ", "True Trusted: 1 roots of the peer", "True Connected: ", "True Compatible: v0.6.1, and this mesh v0.6.0", ""}
	for name, c := range map[string]struct {
		// domain, roots and gateway replace those of a valid MeshPeer.
		domain, roots, gateway string
		others                 []catalog.Entry
		states                 []peering.State
		exported               peering.Exported
		want                   conditions
	}{
		"connected": {states: []peering.State{connectedState(now)}, want: good},
		"the trust domain of this mesh": {domain: "east.west.example", want: conditions{
			"False SharedTrustDomain: in the trust domain west.example of this mesh could have the same names. Set spec.certificates.trustDomain",
			"True Trusted: ", "False NotAccepted: ", "Unknown NotConnected: ", "",
		}},
		"the trust domain of an older peer": {others: []catalog.Entry{&catalog.Peer{Name: "old", TrustDomain: "example"}}, want: conditions{
			"False SharedTrustDomain: in the trust domain example of the older MeshPeer old", "True Trusted: ", "False NotAccepted: ", "Unknown NotConnected: ", "",
		}},
		"too many peers": {others: olderPeers(catalog.MaxPeers), want: conditions{
			"False TooManyPeers: 16 older MeshPeers", "True Trusted: ", "False NotAccepted: ", "Unknown NotConnected: ", "",
		}},
		"a gateway without a host": {gateway: "1:2", want: conditions{
			`False InvalidGateways: spec.gateways has the address "1:2", which is no IP address`, "True Trusted: ", "False NotAccepted: ", "Unknown NotConnected: ", "",
		}},
		"no roots": {roots: "x", want: conditions{"False InvalidRoots: there is no root", "False InvalidRoots: there is no root", "False NotAccepted: ", "Unknown NotConnected: ", ""}},
		"an expired root": {roots: expired, states: []peering.State{stopped(peering.ReasonUnreachable, "x")}, want: conditions{
			"True Accepted: ", "False RootsExpired: ", "False Unreachable: ", "Unknown NotConnected: ", "",
		}},
		"before the first attempt": {states: []peering.State{{Peer: "east"}}, want: conditions{
			"True Accepted: ", "True Trusted: ", "Unknown Connecting: ", "Unknown NotConnected: before the first connection", "",
		}},
		"not reachable": {states: []peering.State{stopped(peering.ReasonUnreachable, "read tcp 10.0.0.1:4711->192.0.2.1:15443: reset")}, want: conditions{
			"True Accepted: ", "True Trusted: ", "False Unreachable: since the MeshPeer was created: read tcp 192.0.2.1:15443: reset.", "Unknown NotConnected: ", "",
		}},
		"rejected records": {states: []peering.State{rejecting}, want: conditions{
			good.accepted, good.trust, `True RecordsRejected: InvalidRecord: 2, first "service/shop/cart": it has no ports`, good.compatible, "",
		}},
		"other versions": {states: []peering.State{apart}, want: conditions{good.accepted, good.trust, good.connected, "False VersionsDiffer: upgrade the older one", ""}},
		"followed roots": {states: []peering.State{differing(now.Add(time.Hour))}, want: conditions{
			good.accepted, good.trust, good.connected, good.compatible, "True RootsFollowed: abc, def. Roots that spec.trust.caBundle does not have are trusted until 2026-12-01T01:00:00Z",
		}},
		"roots that are not followed": {states: []peering.State{differing(time.Time{})}, want: conditions{
			good.accepted, good.trust, good.connected, good.compatible, "True RootsNotFollowed: `osm peer show` of the other mesh",
		}},
		"limits": {
			states: []peering.State{connectedState(now)}, exported: peering.Exported{IsRead: true, Omitted: meshpeering.Omitted{Services: 7}},
			want: conditions{"True ExportsLimited: 7 Services", good.trust, good.connected, good.compatible, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			domain, roots := c.domain, c.roots
			if domain == "" {
				domain = "east.example"
			}
			if roots == "" {
				roots = valid
			}
			peer := meshPeer("east", domain, roots)
			peer.CreationTimestamp = metav1.NewTime(now)
			if c.gateway != "" {
				peer.Spec.Gateways = []operatorv1alpha1.PeerGatewayAddress{{Address: "192.0.2.1"}, {Address: c.gateway}}
			}
			w := newTestMesh(t, peer)
			w.set(c.others...)
			w.declare(peer)
			w.exchange.states, w.exchange.exported = c.states, c.exported
			reconcileOne(t, w.peers(), "", "east")
			status := w.peerStatus(t, "east")
			for kind, want := range map[string]string{
				operatorv1alpha1.PeerAccepted: c.want.accepted, operatorv1alpha1.PeerTrustReady: c.want.trust, operatorv1alpha1.PeerConnected: c.want.connected,
				operatorv1alpha1.PeerCompatible: c.want.compatible, operatorv1alpha1.PeerTrustDiffersFromDeclaration: c.want.differs,
			} {
				checkCondition(t, status.Conditions, kind, want)
			}
			if status.ObservedGeneration != 2 || roots == valid && !slices.Equal(status.RootFingerprints, fingerprints) {
				t.Errorf("the status is %+v", status)
			}
		})
	}
}

func olderPeers(n int) []catalog.Entry {
	var peers []catalog.Entry
	for i := range n {
		peers = append(peers, meshtest.Peer(fmt.Sprintf("p%d", i), fmt.Sprintf("p%d.other", i)))
	}
	return peers
}

// TestPeersAreSeldomWritten follows a peer that is connected and then is not.
func TestPeersAreSeldomWritten(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	peer := meshPeer("east", "east.example", rootAt(t, now))
	w := newTestMesh(t, peer)
	w.declare(peer)
	w.set(meshtest.ImportOf("east", meshtest.Name("shop", "cart"), 80, meshtest.SA("shop", "cart"))...)
	service := meshtest.Service("shop", "cart", "", "10.96.0.1", 80, "http")
	service.Selector = nil
	w.set(service)
	if err := w.Client.Create(t.Context(), consentObject(kinds.ServiceImport, "cart", "east")); err != nil {
		t.Fatal(err)
	}
	r := w.peers()
	step := func(name string, after time.Duration, state peering.State, writes int) operatorv1alpha1.MeshPeerStatus {
		t.Helper()
		w.now, w.writes = w.now.Add(after), 0
		w.exchange.states = []peering.State{state}
		if result := reconcileOne(t, r, "", "east"); result.RequeueAfter != pollInterval {
			t.Errorf("%s: the state is compared again after %s", name, result.RequeueAfter)
		}
		if w.writes != writes {
			t.Errorf("%s: %d writes, want %d", name, w.writes, writes)
		}
		return w.peerStatus(t, "east")
	}
	w.leading = false
	if reconcileOne(t, r, "", "east"); w.writes > 0 {
		t.Error("a replica without the Lease writes")
	}
	w.leading = true
	w.exchange.exported = peering.Exported{IsRead: true, Services: 2}
	status := step("connected", 0, connectedState(now), 1)
	if status.Exports != 2 || status.Imports != 1 || !status.LastConnectedTime.Time.Equal(now) || !slices.Equal(status.Versions, []string{"v0.6.1"}) ||
		len(status.AcknowledgedRoots) != 1 {
		t.Errorf("the status is %+v", status)
	}
	step("nothing changes", 5*time.Second, connectedState(now), 0)
	w.exchange.exported = peering.Exported{}
	step("exports are not read yet", 5*time.Second, connectedState(now), 0)
	status = step("ten minutes later", operatorv1alpha1.PeerContactInterval, connectedState(now), 1)
	if !status.LastConnectedTime.After(now) {
		t.Errorf("the last contact was at %s", status.LastConnectedTime)
	}
	away := func(text string) peering.State {
		s := connectedState(now)
		s.Acknowledged = nil
		s.Connected, s.StaleSince, s.Problems = false, w.now.Add(time.Minute), []peering.Problem{{Reason: peering.ReasonUnreachable, Count: 1, Message: text}}
		return s
	}
	lost := away("one")
	status = step("away", 2*time.Minute, lost, 1)
	if len(status.AcknowledgedRoots) > 0 {
		t.Errorf("a peer that is away acknowledges %v", status.AcknowledgedRoots)
	}
	checkCondition(t, status.Conditions, operatorv1alpha1.PeerConnected, "False Unreachable: since about "+lost.StaleSince.Format(time.RFC3339)+": one")
	lost.Problems = []peering.Problem{{Reason: peering.ReasonUnreachable, Count: 1, Message: "two"}}
	step("another text at once", 5*time.Second, lost, 0)
	step("another text later", textInterval, lost, 1)
	restarted := peering.State{Peer: "east", StaleSince: w.now, Version: "v0.6.1", Compatible: true}
	status = step("after a restart", 5*time.Second, restarted, 0)
	checkCondition(t, status.Conditions, operatorv1alpha1.PeerConnected, "False Unreachable: two")
}

// TestPeersOfOtherMeshesAreLeftAlone has a MeshPeer of another mesh.
func TestPeersOfOtherMeshesAreLeftAlone(t *testing.T) {
	peer := meshPeer("east", "east.example", "x")
	peer.Spec.Mesh = "other"
	w := newTestMesh(t, peer)
	if result := reconcileOne(t, w.peers(), "", "east"); w.writes > 0 || result.RequeueAfter > 0 {
		t.Errorf("%d writes, and again after %s", w.writes, result.RequeueAfter)
	}
}

// TestRootsThatExpireSoon has a root in its last month.
func TestRootsThatExpireSoon(t *testing.T) {
	root := rootAt(t, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	parsed, err := meshpeering.ParseRoots([]byte(root))
	if err != nil {
		t.Fatal(err)
	}
	o := observation{trusted: []byte(root), now: parsed[0].NotAfter.Add(-time.Hour)}
	if c := o.trustReady(); c.Status != metav1.ConditionTrue || c.Reason != ReasonRootsExpireSoon || !strings.Contains(c.Message, format(parsed[0].NotAfter)) {
		t.Errorf("the condition is %+v", c)
	}
}
