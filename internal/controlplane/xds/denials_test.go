package xds

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

func deniedAt(address string, port uint32) *datav3.TCPAccessLogEntry {
	return &datav3.TCPAccessLogEntry{CommonProperties: &datav3.AccessLogCommon{
		DownstreamLocalAddress: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
		}}},
		ResponseFlags: &datav3.ResponseFlags{NoRouteFound: true},
	}}
}

func denialMessage(entries ...*datav3.TCPAccessLogEntry) *accesslogv3.StreamAccessLogsMessage {
	return &accesslogv3.StreamAccessLogsMessage{LogEntries: &accesslogv3.StreamAccessLogsMessage_TcpLogs{
		TcpLogs: &accesslogv3.StreamAccessLogsMessage_TCPAccessLogEntries{LogEntry: entries},
	}}
}

func (c *control) denialStream(t *testing.T, token string) accesslogv3.AccessLogService_StreamAccessLogsClient {
	t.Helper()
	conn, ctx := c.dial(t, token)
	stream, err := accesslogv3.NewAccessLogServiceClient(conn).StreamAccessLogs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func (c *control) sums() map[string]uint64 {
	sums := map[string]uint64{}
	list, _ := c.denials.Read()
	for _, d := range list {
		document := d.Report()
		sums[document.Client+" "+document.Side+" "+document.Address] += d.Count
	}
	return sums
}

// TestDenialsBelongToTheToken has a sidecar without a discovery stream here, an invalid token, and a client that sends nothing.
func TestDenialsBelongToTheToken(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	stream := c.denialStream(t, c.tokenOf(m.client))
	if err := stream.Send(denialMessage(deniedAt("203.0.113.9", 443), deniedAt("203.0.113.9", 443), deniedAt("nowhere", 0))); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, waitLimit, "two denials are recorded", func() bool { return c.sums()["a/client client 203.0.113.9:443"] == 2 })
	if _, dropped := c.denials.Read(); dropped != 1 {
		t.Errorf("%d denials without a destination are dropped, want 1", dropped)
	}
	rejected := c.denialStream(t, "what")
	_ = rejected.Send(denialMessage(deniedAt("203.0.113.9", 443)))
	if _, err := rejected.CloseAndRecv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("an invalid token got %v", err)
	}
	silent := c.denialStream(t, c.tokenOf(m.client))
	began := time.Now()
	if err := silent.RecvMsg(&accesslogv3.StreamAccessLogsResponse{}); status.Code(err) != codes.DeadlineExceeded || time.Since(began) > firstRequestTimeout+latest {
		t.Errorf("a silent stream ended with %v after %s", err, time.Since(began))
	}
}

// TestFloodOfDenialsIsBounded has a sidecar that sends as many denials of as many destinations as it can. Memory does not grow with them, its sum is
// marked as incomplete, and the denials of another sidecar are recorded at once.
func TestFloodOfDenialsIsBounded(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	evil, good := c.tokenOf(m.client), c.tokenOf(m.server)
	before := heap()
	for range 4 {
		flood := c.denialStream(t, evil)
		go func() {
			for port := uint32(1); ; port++ {
				var entries []*datav3.TCPAccessLogEntry
				for i := range uint32(200) {
					entry := deniedAt("10.9.8.7", (port*200+i)%65536)
					entry.CommonProperties.CustomTags = map[string]string{envoy.DetailsTag: strings.Repeat("x", 50), envoy.IdentityTag: "evil.shop." + trustDomain}
					entries = append(entries, entry)
				}
				if flood.Send(denialMessage(entries...)) != nil {
					return
				}
			}
		}()
	}
	eventually.True(t, waitLimit, "the flood is recorded", func() bool { return c.sums()["a/client client other addresses"] > 1000 })
	honest := c.denialStream(t, good)
	if err := honest.Send(denialMessage(deniedAt("203.0.113.9", 443))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually.True(t, waitLimit, "the other sidecar is recorded", func() bool { return c.sums()["a/server client 203.0.113.9:443"] == 1 })
	if took := time.Since(began); took > latest {
		t.Errorf("the other sidecar waited for %s", took)
	}
	eventually.True(t, waitLimit, "the sum of the flood is incomplete", func() bool {
		list, _ := c.denials.Read()
		return slices.ContainsFunc(list, func(d denials.Denial) bool { return d.AtLeast && d.Client == m.client.Identity() })
	})
	if list, _ := c.denials.Read(); len(list) > 70 {
		t.Errorf("%d sums are kept", len(list))
	}
	if grown := int64(heap()) - int64(before); grown > 32<<20 {
		t.Errorf("the heap grows by %d MiB", grown>>20)
	}
}

func TestDenialOf(t *testing.T) {
	entry := func(change func(*datav3.AccessLogCommon)) *datav3.AccessLogCommon {
		e := deniedAt("::ffff:10.0.0.1", 8080).GetCommonProperties()
		change(e)
		return e
	}
	address := netip.MustParseAddrPort("10.0.0.1:8080")
	tag := func(key, value string) func(*datav3.AccessLogCommon) {
		return func(e *datav3.AccessLogCommon) { e.CustomTags = map[string]string{key: value} }
	}
	for name, test := range map[string]struct {
		change func(*datav3.AccessLogCommon)
		want   denials.Event
	}{
		"at a client":    {func(*datav3.AccessLogCommon) {}, denials.Event{Reason: denials.NoPolicy}},
		"plaintext":      {func(e *datav3.AccessLogCommon) { e.DownstreamTransportFailureReason = "TLS_error" }, denials.Event{Reason: denials.NoCertificate}},
		"by an external": {tag(envoy.DetailsTag, "ext_authz_denied"), denials.Event{Reason: denials.ExternalAuthorization}},
		"a client": {tag(envoy.IdentityTag, "other.example.com,buyer.shop."+trustDomain), denials.Event{
			Reason: denials.NoPolicy, Client: identity.ServiceAccount{Namespace: "shop", Name: "buyer"},
		}},
		"no identity": {tag(envoy.IdentityTag, "<b>.shop."+trustDomain), denials.Event{Reason: denials.NoPolicy}},
		"a Service": {func(e *datav3.AccessLogCommon) {
			e.TlsProperties = &datav3.TLSProperties{TlsSniHostname: "web.shop.svc.cluster.local"}
		}, denials.Event{Reason: denials.NoPolicy, Service: entity.Name{Namespace: "shop", Name: "web"}}},
		"another host": {func(e *datav3.AccessLogCommon) {
			e.TlsProperties = &datav3.TLSProperties{TlsSniHostname: "<b>.shop.svc.cluster.local"}
		}, denials.Event{Reason: denials.NoPolicy}},
	} {
		test.want.Address = address
		if got, ok := denialOf(entry(test.change), []string{trustDomain}); !ok || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, test.want)
		}
	}
	for _, invalid := range []*datav3.AccessLogCommon{nil, deniedAt("", 80).GetCommonProperties(), deniedAt("10.0.0.1", 65536).GetCommonProperties()} {
		if got, ok := denialOf(invalid, nil); ok {
			t.Errorf("%v is the denial %+v", invalid, got)
		}
	}
}
