package xds

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServe covers one sidecar: first request, change, reconnect, deletion of its pod.
func TestServe(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	envoy := fakexds.NewEnvoy()
	p := c.connect(t, c.tokenOf(m.client), envoy)
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	p.waitReady(t)

	second := meshtest.Pod("a", "second", "server", "server", "10.0.0.3")
	c.apply(second, meshtest.Slice(m.service.Name, m.server, second))
	p.waitFor(t, fakexds.EndpointType, "a/server|80")

	p.cancel()
	_ = p.waitEnd(t)
	if dangling := envoy.Dangling(); len(dangling) > 0 {
		t.Error(strings.Join(dangling, "\n"))
	}
	p = c.connect(t, c.tokenOf(m.client), envoy)
	c.apply(meshtest.Slice(m.service.Name, m.server))
	p.waitFor(t, fakexds.EndpointType, "a/server|80")
	select {
	case r := <-p.applied:
		t.Errorf("a sidecar that came back was sent something else than the change: %v", r)
	default:
	}
	c.remove(m.client)
	// A write in progress is aborted with its connection, and then the status does not arrive.
	if code := status.Code(p.waitEnd(t)); code != codes.PermissionDenied && code != codes.Unavailable {
		t.Errorf("the stream of a deleted pod ended with %s", code)
	}
}

// TestStreamsEnd counts goroutines: an ended stream leaves none.
func TestStreamsEnd(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	p := c.connect(t, token, fakexds.NewEnvoy())
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	p.cancel()
	_ = p.waitEnd(t)
	eventually.True(t, waitLimit, "no sidecar is connected", func() bool { return len(c.store.Proxies()) == 0 })
	before := runtime.NumGoroutine()
	for range 5 {
		older := c.connect(t, token, fakexds.NewEnvoy())
		older.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
		newer := c.connect(t, token, fakexds.NewEnvoy())
		newer.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
		if err := older.waitEnd(t); status.Code(err) != codes.Aborted {
			t.Errorf("the older stream of a pod ended with %v", err)
		}
		newer.cancel()
		_ = newer.waitEnd(t)
	}
	eventually.True(t, waitLimit, "the goroutines of the streams have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// TestThreat1And5Refused connects with every kind of invalid token.
func TestThreat1And5Rejected(t *testing.T) {
	m := newMesh()
	plain := meshtest.Pod("a", "plain", "plain", "client", "10.0.0.9")
	plain.Injected = false
	c := start(t, append(m.entries(), plain)...)
	c.store.MarkSynced()
	good := peerOf(m.client)
	with := func(change func(*Peer)) string {
		peer := good
		change(&peer)
		token := "token " + peer.Pod.String() + string(peer.InstanceID) + peer.ServiceAccount.String() + peer.ServiceAccountUID
		c.tokens.peers.Store(token, peer)
		return token
	}
	cases := []struct {
		name, token string
		code        codes.Code
	}{
		{"no token", "", codes.Unauthenticated},
		{"invalid token", "what", codes.Unauthenticated},
		{"two schemes", "Bearer Bearer x", codes.Unauthenticated},
		{"oversized token", strings.Repeat("x", maxTokenBytes+1), codes.Unauthenticated},
		{"pod without a sidecar", c.tokenOf(plain), codes.PermissionDenied},
		{"unknown pod", with(func(p *Peer) { p.Pod.Name = "nobody" }), codes.Unauthenticated},
		{"pod made again", with(func(p *Peer) { p.InstanceID = "older" }), codes.Unauthenticated},
		{"account made again", with(func(p *Peer) { p.ServiceAccountUID = "older" }), codes.Unauthenticated},
		{"account without UID", with(func(p *Peer) { p.ServiceAccountUID = "" }), codes.Unauthenticated},
		{"another account", with(func(p *Peer) { p.ServiceAccount.Name = "server" }), codes.Unauthenticated},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := c.connect(t, tc.token, fakexds.NewEnvoy()).waitEnd(t); status.Code(err) != tc.code {
				t.Errorf("got %v, want %s", err, tc.code)
			}
		})
	}
}

// TestPodThatComesLater covers a sidecar that connects before the watch delivers its pod.
func TestPodThatComesLater(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.remove(m.client)
	c.store.MarkSynced()
	p := c.connect(t, "Bearer "+c.tokenOf(m.client), fakexds.NewEnvoy())
	time.AfterFunc(50*time.Millisecond, func() { c.apply(m.client) })
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
}

// TestThreat47NothingBeforeSync connects before all informers have synced.
func TestThreat47NothingBeforeSync(t *testing.T) {
	m := newMesh()
	entries := m.entries()
	c := start(t, entries[:4]...)
	p := c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy())
	select {
	case r := <-p.applied:
		t.Fatalf("sent before everything was known: %v", r)
	case err := <-p.ended:
		t.Fatal(err)
	case <-time.After(100 * time.Millisecond):
	}
	if c.store.IsReady() {
		t.Error("ready before everything was known")
	}
	c.apply(entries...)
	c.store.MarkSynced()
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	if !c.store.IsReady() {
		t.Error("not ready though everything is known")
	}
}

func TestExpiredTokenEndsTheStream(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	peer := peerOf(m.client)
	peer.Expiry = time.Now().Add(300 * time.Millisecond)
	c.tokens.peers.Store("short", peer)
	p := c.connect(t, "short", fakexds.NewEnvoy())
	if err := p.waitEnd(t); status.Code(err) != codes.Unauthenticated {
		t.Errorf("ended with %v", err)
	}
}

// TestStreamOutlivesItsToken extends an expired token once.
func TestStreamOutlivesItsToken(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	peer := peerOf(m.client)
	peer.Expiry = time.Now()
	var extended atomic.Int32
	peer.Extend = func(context.Context) time.Time {
		if extended.Add(1) == 1 {
			return time.Now()
		}
		return time.Time{}
	}
	c.tokens.peers.Store("short", peer)
	p := c.connect(t, "short", fakexds.NewEnvoy())
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	if err := p.waitEnd(t); status.Code(err) != codes.Unauthenticated || extended.Load() != 2 {
		t.Errorf("ended with %v after %d extensions, want 2", err, extended.Load())
	}
}

func TestMaxConnections(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	c.store.SetMaxConnections(1)
	first := c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy())
	first.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	second := c.connect(t, c.tokenOf(m.server), fakexds.NewEnvoy())
	if err := second.waitEnd(t); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one too many ended with %v", err)
	}
	if got := c.metric(t, "osm_proxy_max_connections_rejected"); got != 1 {
		t.Errorf("%v rejections were counted", got)
	}
	c.store.SetMaxConnections(2)
	c.connect(t, c.tokenOf(m.server), fakexds.NewEnvoy()).waitFor(t, fakexds.SecretType, "service-cert")
	c.store.SetMaxConnections(1)
	c.apply(meshtest.Slice(m.service.Name))
	first.waitFor(t, fakexds.EndpointType, "a/server|80") // existing streams continue
}

// waitLimit is how long tests wait for a condition.
const waitLimit = 10 * time.Second

// TestThreat49SupersededWhileItDoesNotRead opens a stream that is never read, until the server blocks. Then it opens
// another one: the first stream must end.
func TestThreat49SupersededWhileItDoesNotRead(t *testing.T) {
	m := newMesh()
	var entries []catalog.Entry
	for i := range 400 { // more than the flow control windows of the client hold
		name := fmt.Sprintf("service-%d", i)
		address := fmt.Sprintf("10.97.%d.%d", i/250, i%250+1)
		entries = append(entries, meshtest.Service("a", name, "server", address, 80, inventory.ProtocolTCP))
	}
	entries = append(entries, m.entries()...)
	c := start(t, append(entries, &catalog.Settings{Permissive: true})...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	conn, ctx := c.dial(t, token)
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ClusterType}); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.SecretType, ResourceNamesSubscribe: []string{"service-cert"}}); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, waitLimit, "two requests are counted", func() bool { return c.metric(t, "osm_proxy_xds_request_count") == 2 })
	second := c.connect(t, token, fakexds.NewEnvoy())
	second.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	eventually.True(t, waitLimit, "one failed response is counted", func() bool { return c.metric(t, "osm_proxy_response_send_error_count") == 1 })
	if proxies := c.store.Proxies(); len(proxies) != 1 {
		t.Errorf("%d sidecars are connected", len(proxies))
	}
}
