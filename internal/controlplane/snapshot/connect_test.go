package snapshot

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// connecting is a call of Connect in a bubble of synctest.
type connecting struct {
	stream *Stream
	err    error
	after  time.Duration
	done   chan struct{}
}

// beginConnect calls Connect, and returns when the call waits.
func (h *harness) beginConnect(ctx context.Context, peer Peer) *connecting {
	c, began := &connecting{done: make(chan struct{})}, time.Now()
	go func() {
		defer close(c.done)
		c.stream, c.err = h.store.Connect(ctx, peer, func() {})
		c.after = time.Since(began)
	}()
	synctest.Wait()
	return c
}

// end lets the Store work until the call returns.
func (h *harness) end(t *testing.T, c *connecting) {
	t.Helper()
	for range 100 {
		synctest.Wait()
		h.run()
		synctest.Wait()
		select {
		case <-c.done:
			return
		default:
			time.Sleep(500 * time.Millisecond)
		}
	}
	t.Fatal("Connect does not return")
}

// expectStreams checks how many streams are bound.
func (h *harness) expectStreams(t *testing.T, want int) {
	t.Helper()
	h.run()
	if got := len(h.store.streams); got != want {
		t.Errorf("%d pods have streams, want %d", got, want)
	}
}

// TestConnectWaitsForThePod connects before the watch has the pod, and before the mesh was read.
func TestConnectWaitsForThePod(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(h *harness, entries []catalog.Entry)
		// appears lets the awaited come after a second.
		appears func(h *harness, entries []catalog.Entry)
		want    error
		least   time.Duration
	}{
		"known pod": {
			prepare: func(h *harness, entries []catalog.Entry) { h.store.MarkSynced(); h.apply(entries...) },
		},
		"unknown pod": {
			prepare: func(h *harness, _ []catalog.Entry) { h.store.MarkSynced(); h.run() },
			want:    ErrUnknown, least: unknownPodTimeout,
		},
		"pod without a sidecar": {
			prepare: func(h *harness, entries []catalog.Entry) {
				client, _ := podsOf(entries)
				client.Injected = false
				h.store.MarkSynced()
				h.apply(entries...)
			},
			want: ErrNoSidecar,
		},
		"pod that appears": {
			prepare: func(h *harness, _ []catalog.Entry) { h.store.MarkSynced(); h.run() },
			appears: func(h *harness, entries []catalog.Entry) { h.apply(entries...) },
			least:   time.Second,
		},
		"mesh that is not read": {
			prepare: func(h *harness, entries []catalog.Entry) { h.apply(entries...) },
			want:    ErrNotSynced, least: syncTimeout,
		},
		"mesh that is read later": {
			prepare: func(h *harness, entries []catalog.Entry) { h.apply(entries...) },
			appears: func(h *harness, _ []catalog.Entry) { h.store.MarkSynced() },
			least:   time.Second,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, entries := newHarness(), twoServices()
			client, _ := podsOf(entries)
			test.prepare(h, entries)
			c := h.beginConnect(t.Context(), peerOf(client))
			h.run()
			if test.appears != nil {
				time.Sleep(time.Second)
				test.appears(h, entries)
			}
			h.end(t, c)
			if !errors.Is(c.err, test.want) || (c.stream != nil) != (test.want == nil) || c.after < test.least || c.after > test.least+time.Second {
				t.Errorf("%s: a stream %t, error %v after %s; want error %v after %s", name, c.stream != nil, c.err, c.after, test.want, test.least)
			}
			if c.stream != nil {
				h.expectStreams(t, 1)
				c.stream.Close()
			}
			h.expectStreams(t, 0)
		})
	}
}

// TestConnectOfAClientThatLeaves ends the call of a client. A stream that was bound for it meanwhile is closed, and the Store does not wait for the client.
func TestConnectOfAClientThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entries := twoServices()
		h := newSyncedHarness(entries...)
		client, _ := podsOf(entries)
		ctx, cancel := context.WithCancel(t.Context())
		c := h.beginConnect(ctx, peerOf(client))
		cancel()
		synctest.Wait() // the end is queued behind the beginning
		h.end(t, c)
		if c.stream != nil || !errors.Is(c.err, context.Canceled) {
			t.Errorf("bound meanwhile: a stream %t, error %v; want the error of the context", c.stream != nil, c.err)
		}
		h.expectStreams(t, 0)

		h.remove(client)
		ctx, cancel = context.WithCancel(t.Context())
		c = h.beginConnect(ctx, peerOf(client))
		h.run()
		cancel()
		h.end(t, c)
		if c.stream != nil || !errors.Is(c.err, ErrUnknown) || c.after > 0 {
			t.Errorf("not bound: a stream %t, error %v after %s; want ErrUnknown at once", c.stream != nil, c.err, c.after)
		}
	})
}

func TestConnectToAStoppedStore(t *testing.T) {
	h := newSyncedHarness()
	h.store.queue.close()
	if stream, err := h.store.Connect(t.Context(), Peer{}, func() {}); stream != nil || !errors.Is(err, ErrStopped) {
		t.Errorf("a stream %t, error %v; want ErrStopped", stream != nil, err)
	}
}

// TestEveryClaimOfATokenMatchesTheLivePod changes one claim of a valid token after the other.
func TestEveryClaimOfATokenMatchesTheLivePod(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	finished := meshtest.Pod("a", "finished", "client", "client", "10.0.0.3")
	finished.Finished = true
	orphan := meshtest.Pod("a", "orphan", "client", "orphan", "10.0.0.5")
	without := meshtest.Pod("a", "without", "client", "client", "10.0.0.4")
	without.Injected = false
	h := newSyncedHarness(append(entries, finished, without, orphan)...)
	for name, test := range map[string]struct {
		pod  *inventory.Instance
		edit func(p *Peer)
		want error
		text string
	}{
		"valid":                        {client, func(*Peer) {}, nil, ""},
		"valid, from its own address":  {client, func(p *Peer) { p.Address = client.IPs[0] }, nil, ""},
		"valid, from an unknown one":   {client, func(p *Peer) { p.Address = netip.MustParseAddr("10.9.9.9") }, nil, ""},
		"another pod":                  {client, func(p *Peer) { p.Pod.Name = "other" }, ErrUnknown, "pod a/other is not running"},
		"a pod that has finished":      {finished, func(*Peer) {}, ErrUnknown, "pod a/finished is not running"},
		"another UID":                  {client, func(p *Peer) { p.InstanceID = "old" }, ErrUnknown, "pod a/client has another UID"},
		"another account":              {client, func(p *Peer) { p.ServiceAccount, p.ServiceAccountUID = server.Identity(), "uid-of-server" }, ErrUnknown, "runs as another service account"},
		"another UID of the account":   {client, func(p *Peer) { p.ServiceAccountUID = "old" }, ErrUnknown, "service account a/client has another UID"},
		"no UID of the account":        {client, func(p *Peer) { p.ServiceAccountUID = "" }, ErrUnknown, "service account a/client has another UID"},
		"an account that is deleted":   {orphan, func(p *Peer) { p.ServiceAccountUID = "" }, ErrUnknown, "service account a/orphan has another UID"},
		"a pod without a sidecar":      {without, func(*Peer) {}, ErrNoSidecar, ""},
		"the address of another pod":   {client, func(p *Peer) { p.Address = server.IPs[0] }, ErrAddressMismatch, ""},
		"another pod's token entirely": {server, func(p *Peer) { p.Pod = client.Name }, ErrUnknown, "pod a/client has another UID"},
	} {
		peer := peerOf(test.pod)
		test.edit(&peer)
		stream, err := h.tryConnect(peer)
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: error %v, want %v with %q", name, err, test.want, test.text)
		}
		if stream != nil {
			stream.Close()
			h.run()
		}
	}
}
