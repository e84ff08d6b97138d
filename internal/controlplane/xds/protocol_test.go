package xds

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// dial opens a connection with a token, for requests that no Envoy sends.
func (c *control) dial(t testing.TB, token string) (*grpc.ClientConn, context.Context) {
	t.Helper()
	const window = 1 << 16 // a set window does not grow
	conn, err := grpc.NewClient("passthrough:///"+c.address, grpc.WithTransportCredentials(credentials.NewTLS(c.tls)),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 2*waitLimit)
	t.Cleanup(cancel)
	return conn, metadata.AppendToOutgoingContext(ctx, "authorization", token)
}

// metric returns the value of a counter, summed over its labels.
func (c *control) metric(t testing.TB, name string) float64 {
	t.Helper()
	families, err := c.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestThreat53OverTheWire(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	many := make([]string, delta.MaxNames+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	versions := make(map[string]string, len(many))
	for _, name := range many {
		versions[name] = "1"
	}
	cases := map[string]struct {
		request *discovery.DeltaDiscoveryRequest
		code    codes.Code
	}{
		"names":        {&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.RouteType, ResourceNamesSubscribe: many}, codes.InvalidArgument},
		"left names":   {&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.RouteType, ResourceNamesUnsubscribe: many}, codes.InvalidArgument},
		"versions":     {&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.RouteType, InitialResourceVersions: versions}, codes.InvalidArgument},
		"unknown type": {&discovery.DeltaDiscoveryRequest{TypeUrl: "what"}, codes.InvalidArgument},
		"huge nonce":   {&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ClusterType, ResponseNonce: strings.Repeat("x", 1<<10)}, codes.InvalidArgument},
		"oversized":    {&discovery.DeltaDiscoveryRequest{TypeUrl: strings.Repeat("x", maxRequestBytes)}, codes.ResourceExhausted},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			conn, ctx := c.dial(t, c.tokenOf(m.client))
			stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(tc.request); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); status.Code(err) != tc.code {
				t.Errorf("got %v, want %s", err, tc.code)
			}
		})
	}
}

// TestThreat53OverTheWireInSotW sends invalid requests in the state-of-the-world protocol.
func TestThreat53OverTheWireInSotW(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	many := make([]string, delta.MaxNames+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	cases := map[string]*discovery.DiscoveryRequest{
		"unknown type": {TypeUrl: "what"},
		"huge nonce":   {TypeUrl: fakexds.ClusterType, ResponseNonce: strings.Repeat("x", 1<<10)},
		"huge name":    {TypeUrl: fakexds.RouteType, ResourceNames: []string{strings.Repeat("x", 1<<20)}},
		"names":        {TypeUrl: fakexds.RouteType, ResourceNames: many},
	}
	for name, request := range cases {
		t.Run(name, func(t *testing.T) {
			conn, ctx := c.dial(t, c.tokenOf(m.client))
			stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(request); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSotWAdapter_LimitsNames verifies that a request with too many names stores nothing.
func TestSotWAdapter_LimitsNames(t *testing.T) {
	adapter := newSotWAdapter()
	adapter.deltaRequest(&discovery.DiscoveryRequest{TypeUrl: fakexds.RouteType, ResourceNames: make([]string, delta.MaxNames+1)})
	if len(adapter.subscribed) > 0 {
		t.Errorf("names of %d types are stored", len(adapter.subscribed))
	}
}

// TestThreat2ClaimIsNotIdentity claims to be another workload. Only a counter changes.
func TestThreat2ClaimIsNotIdentity(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	conn, ctx := c.dial(t, c.tokenOf(m.client))
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: fakexds.SecretType, ResourceNamesSubscribe: []string{"service-cert", "service-cert:a/server"},
		Node: &core.Node{Id: "uuid.sidecar.server.a." + trustDomain, Cluster: "server"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var sent, removed []string
	for len(sent)+len(removed) < 2 {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range response.GetResources() {
			sent = append(sent, res.GetName())
		}
		removed = append(removed, response.GetRemovedResources()...)
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.SecretType, ResponseNonce: response.GetNonce()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 1 || sent[0] != "service-cert" {
		t.Errorf("sent %v", sent)
	}
	if got := c.metric(t, "osm_proxy_node_mismatch_count"); got != 1 {
		t.Errorf("%v mismatches were counted", got)
	}
	if got := c.metric(t, "osm_proxy_foreign_secret_request_count"); got != 1 {
		t.Errorf("%v requests for another workload's key were counted", got)
	}
}

func TestClaimsAnother(t *testing.T) {
	peer := peerOf(newMesh().client)
	for id, want := range map[string]bool{
		"":                                       false,
		"u.sidecar.client.a.mesh.test":           false,
		"u.sidecar.client.a":                     false,
		"u.sidecar.server.a.mesh.test":           true,
		"u.sidecar.client.ab.mesh.test":          true,
		"u.sidecar.clients.a.mesh.test":          true,
		"client.a.mesh.test":                     true,
		"u.sidecar.x.sidecar.client.a.mesh.test": true,
	} {
		if got := isNodeMismatch(&core.Node{Id: id}, peer); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestOldTLSIsRejected(t *testing.T) {
	c := start(t)
	config := c.tls.Clone()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", c.address, config)
	if err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestMetrics(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	token := c.tokenOf(m.client)
	envoy := fakexds.NewEnvoy()
	p := c.connect(t, token, envoy)
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	if got := c.metric(t, "osm_proxy_connect_count"); got != 1 {
		t.Errorf("%v sidecars are connected", got)
	}
	p.cancel()
	_ = p.waitEnd(t)
	c.connect(t, token, envoy)
	eventually.True(t, waitLimit, "the reconnect is counted", func() bool { return c.metric(t, "osm_proxy_reconnect_count") == 1 })
	for _, name := range []string{"osm_proxy_response_send_success_count", "osm_proxy_xds_request_count"} {
		if c.metric(t, name) == 0 {
			t.Errorf("%s stays at 0", name)
		}
	}
}
