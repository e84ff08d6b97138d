package snapshot

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestTokenFromAnotherPod uses the token of a pod from several addresses.
func TestTokenFromAnotherPod(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	client.IPs = append(client.IPs, netip.MustParseAddr("fd00::1"))
	starting := meshtest.Pod("a", "starting", "client", "client", "10.0.0.3")
	starting.IPs = nil
	finished := meshtest.Pod("a", "finished", "client", "client", "10.0.0.4")
	finished.Finished = true
	outside := meshtest.Pod("elsewhere", "outside", "any", "any", "10.0.0.5")
	h := newSyncedHarness(append(entries, starting, finished, outside)...)
	for name, test := range map[string]struct {
		pod  *inventory.Instance
		from string
		// any and own are the errors with addresses of any kind, and with those of the pod only.
		any, own error
	}{
		"its own address":                   {client, "10.0.0.1", nil, nil},
		"its own IPv6 address":              {client, "fd00::1", nil, nil},
		"another pod of the mesh":           {client, "10.0.0.2", ErrAddressMismatch, ErrAddressMismatch},
		"a pod outside the mesh":            {client, "10.0.0.5", ErrAddressMismatch, ErrAddressMismatch},
		"the address of a node":             {client, "192.0.2.1", nil, ErrAddressMismatch},
		"an earlier address of a pod":       {client, "10.0.0.4", nil, ErrAddressMismatch},
		"before its own address is known":   {starting, "10.0.0.2", nil, ErrUnknown},
		"a connection without IP addresses": {client, "", nil, ErrAddressMismatch},
	} {
		for only, want := range map[bool]error{false: test.any, true: test.own} {
			t.Run(fmt.Sprintf("%s, only own: %t", name, only), func(t *testing.T) {
				h.store.SetOwnAddresses(only)
				defer h.store.SetOwnAddresses(false)
				peer := peerOf(test.pod)
				if test.from != "" {
					peer.Address = netip.MustParseAddr(test.from)
				}
				stream, err := h.tryConnect(peer)
				if !errors.Is(err, want) {
					t.Errorf("error = %v, want %v", err, want)
				}
				if stream != nil {
					stream.Close()
					h.run()
				}
			})
		}
	}
	ended := *outside
	ended.Finished = true
	h.apply(&ended)
	peer := peerOf(client)
	peer.Address = netip.MustParseAddr("10.0.0.5")
	if stream, err := h.tryConnect(peer); err != nil {
		t.Errorf("the address of a pod that has finished: %v", err)
	} else {
		stream.Close()
	}
}
