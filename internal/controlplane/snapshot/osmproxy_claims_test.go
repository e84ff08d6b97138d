package snapshot

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// osmMesh returns twoServices whose client has a sidecar of Open Service Mesh, and the claims of its certificate.
func osmMesh() (entries []catalog.Entry, client *inventory.Instance, peer Peer) {
	entries = twoServices()
	client, _ = podsOf(entries)
	replaceSidecar(client)
	peer = peerOfOSM(client)
	return entries, client, peer
}

// TestEveryClaimOfAnOSMCertificateMatchesTheLivePod changes one claim of a valid certificate after the other.
func TestEveryClaimOfAnOSMCertificateMatchesTheLivePod(t *testing.T) {
	entries, client, valid := osmMesh()
	_, server := podsOf(entries)
	ambiguous := &catalog.ServiceAccount{Name: entity.Name(valid.OSMProxy.AmbiguousAccount()), UID: "uid"}
	for name, test := range map[string]struct {
		edit func(p *Peer)
		// added is an entry of the mesh, and removed one that is missing.
		added, removed catalog.Entry
		want           error
		text           string
	}{
		"valid":                        {edit: func(*Peer) {}},
		"the address of another pod":   {edit: func(p *Peer) { p.Address = server.IPs[0] }, want: ErrAddressMismatch},
		"an unknown address":           {edit: func(p *Peer) { p.Address = netip.MustParseAddr("10.9.9.9") }, want: ErrUnknown, text: "no pod at 10.9.9.9 has the sidecar " + osmUUID},
		"another UUID":                 {edit: func(p *Peer) { p.OSMProxy.UUID = "other" }, want: ErrAddressMismatch},
		"another account":              {edit: func(p *Peer) { p.ServiceAccount = server.Identity() }, want: ErrAddressMismatch},
		"an account that is deleted":   {edit: func(*Peer) {}, removed: accountOf(client), want: ErrUnknown, text: "service account a/client does not exist"},
		"the name of another account":  {edit: func(*Peer) {}, added: ambiguous, want: ErrNoSidecar, text: "a service account has the name in the certificate"},
		"a sidecar of this mesh":       {edit: func(*Peer) {}, added: meshtest.Pod("a", "client", "client", "client", "10.0.0.1"), want: ErrAddressMismatch},
		"a namespace outside the mesh": {edit: func(*Peer) {}, added: &catalog.Namespace{Name: "a"}, want: ErrAddressMismatch},
	} {
		h := newSyncedHarness(entries...)
		if test.added != nil {
			h.apply(test.added)
		}
		if test.removed != nil {
			h.remove(test.removed)
		}
		peer := peerOfOSM(client)
		test.edit(&peer)
		stream, err := h.tryConnect(peer)
		if !errors.Is(err, test.want) || (stream != nil) != (test.want == nil) || err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: a stream %t, error %v; want error %v with %q", name, stream != nil, err, test.want, test.text)
		}
		if stream == nil {
			continue
		}
		if p := stream.peer; p.Pod != client.Name || p.InstanceID != client.ID || p.ServiceAccountUID != "uid-of-client" {
			t.Errorf("%s: the stream belongs to pod %s with ID %q and account UID %q", name, p.Pod, p.InstanceID, p.ServiceAccountUID)
		}
	}
}

// TestStreamOfOSMEndsWithItsClaims changes what the stream of a sidecar of Open Service Mesh was accepted for.
func TestStreamOfOSMEndsWithItsClaims(t *testing.T) {
	for name, test := range map[string]struct {
		change func(client inventory.Instance) catalog.Entry
		ends   bool
	}{
		"another label": {func(client inventory.Instance) catalog.Entry {
			client.Labels = maps.Clone(client.Labels)
			client.Labels["other"] = "label"
			return &client
		}, false},
		"another UUID": {func(client inventory.Instance) catalog.Entry {
			client.Labels = maps.Clone(client.Labels)
			client.Labels[names.ProxyUUIDLabel] = "00000000-0000-4000-8000-000000000002"
			return &client
		}, true},
		"a namespace that leaves the mesh": {func(inventory.Instance) catalog.Entry { return &catalog.Namespace{Name: "a"} }, true},
	} {
		entries, client, _ := osmMesh()
		h := newSyncedHarness(entries...)
		stream := h.connectOSM(t, client)
		h.apply(test.change(*client))
		if got := !h.store.isConnected(stream); got != test.ends {
			t.Errorf("%s: the stream has ended: %t, want %t", name, got, test.ends)
		}
		if test.ends && !errors.Is(stream.delta.Cause(), ErrGone) {
			t.Errorf("%s: the stream has ended with %v, want ErrGone", name, stream.delta.Cause())
		}
	}
}

// TestCountOSMProxies counts pods, and only those with sidecars of Open Service Mesh.
func TestCountOSMProxies(t *testing.T) {
	entries, client, _ := osmMesh()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	expect := func(when string, want int) {
		t.Helper()
		if got := h.store.CountOSMProxies(); got != want {
			t.Errorf("%s: %d pods are counted, want %d", when, got, want)
		}
	}
	h.connect(t, server)
	expect("with a sidecar of this mesh", 0)
	stream := h.connectOSM(t, client)
	expect("with one of Open Service Mesh", 1)
	stream.Close()
	h.run()
	expect("without it", 0)
}
