package pods_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/cli/stat"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// callers calls a gRPC application through two sidecars.
type callers struct {
	*shop
	server *grpc.Server
	calls  grpc_testing.TestServiceClient
}

// newCallers has a client and a server with a gRPC port, whose rules are those of permissive mode.
func newCallers(t *testing.T, n *pods.Network) *callers {
	t.Helper()
	s := &shop{network: n, client: podWithStats(t, n, "client"), server: podWithStats(t, n, "server"), stranger: n.Bare(t)}
	c := &callers{shop: s, server: grpc.NewServer()}
	grpc_testing.RegisterTestServiceServer(c.server, &library{name: "server"})
	listener := s.server.NS.Listen(t, nstest.Address("127.0.0.1", 8080))
	go func() { _ = c.server.Serve(listener) }()
	t.Cleanup(c.server.Stop)
	client, server := s.clientScope(), s.serverScope()
	client.Outbound[0].Protocol = inventory.ProtocolGRPC
	for i := range client.Clusters {
		if client.Clusters[i].Service == web {
			client.Clusters[i].Protocol = inventory.ProtocolGRPC
		}
	}
	server.Inbound[0].Protocol, server.Inbound[0].Rules = inventory.ProtocolGRPC, authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}}
	s.configure(t, client, server)
	conn, err := grpc.NewClient("passthrough:///"+nstest.Address(webIP.String(), 80), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return s.client.NS.Dial(ctx, "tcp", address)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.calls = grpc_testing.NewTestServiceClient(conn)
	return c
}

// call makes a call that the application answers with a status, and returns the status that the client gets.
func (c *callers) call(t *testing.T, with codes.Code) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := c.calls.UnaryCall(ctx, &grpc_testing.SimpleRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: int32(with)}})
	return status.Code(err)
}

// TestGRPCFailuresFailTheGate stops a gRPC application behind a sidecar. All its answers have the HTTP status 200, and the gate of an upgrade must still see that calls
// fail. A status that the client causes is no failure.
func TestGRPCFailuresFailTheGate(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	c := newCallers(t, n)
	target := prometheus.Target{Address: promtest.Start(t, c.stranger.NS,
		nstest.Address(c.client.IP.String(), names.PrometheusPort), nstest.Address(c.shop.server.IP.String(), names.PrometheusPort))}
	reader := prometheus.New(c.stranger.NS.Dial)
	rate := func() float64 {
		failed, err := reader.ErrorRate(t.Context(), target, prometheus.Query([]string{"shop"}), time.Now())
		if err != nil {
			return -1
		}
		return failed
	}
	eventually.True(t, 20*time.Second, "the error rate of successful calls is zero", func() bool {
		return c.call(t, codes.OK) == codes.OK && c.call(t, codes.NotFound) == codes.NotFound && rate() == 0
	})
	c.server.Stop()
	eventually.True(t, 20*time.Second, "the error rate includes failed calls", func() bool {
		return c.call(t, codes.OK) == codes.Unavailable && rate() > 0.1
	})
	// The gate reads what the server counts, and this the client, which Prometheus reads at another time.
	eventually.True(t, 20*time.Second, "osm stat has one Service, with failures", func() bool {
		c.call(t, codes.OK)
		rows, err := stat.Read(t.Context(), reader, target, stat.Query{Group: stat.Services, Window: time.Minute, At: time.Now()})
		return err == nil && len(rows) == 1 && rows[0].Success != nil && *rows[0].Success < 0.9
	})
}

// TestGRPCStatusIsCounted checks the labels of both sides and the access log of the server, with both supported versions of Envoy.
func TestGRPCStatusIsCounted(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := pods.NewNetwork(t)
			n.Run(t, binary)
			c := newCallers(t, n)
			for _, code := range []codes.Code{codes.OK, codes.NotFound, codes.Internal} {
				if got := c.call(t, code); got != code {
					t.Fatalf("a call with the status %s gets %s", code, got)
				}
			}
			c.server.Stop()
			if got := c.call(t, codes.OK); got != codes.Unavailable {
				t.Fatalf("a call to a stopped application gets %s", got)
			}
			for _, side := range []struct {
				pod    *pods.Pod
				metric string
			}{{c.client, "osm_request_total"}, {c.shop.server, "osm_inbound_request_total"}, {c.shop.server, "osm_inbound_route_request_total"}} {
				for _, number := range []string{"0", "5", "13", "14"} {
					eventually.True(t, 10*time.Second, side.metric+" counts the status "+number, func() bool {
						return strings.Contains(metricLines(t, side.pod, side.metric), `grpc_status="`+number+`"`)
					})
				}
			}
		})
	}
}

// TestAccessLogNamesDenialOfCalls checks the log of a denied call: its HTTP status is 200.
func TestAccessLogNamesDenialOfCalls(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := pods.NewNetwork(t)
			n.Run(t, binary)
			c := newCallers(t, n)
			if got := c.call(t, codes.OK); got != codes.OK {
				t.Fatalf("a call gets %s", got)
			}
			denying := c.serverScope()
			denying.Inbound[0].Protocol = inventory.ProtocolGRPC
			denying.Inbound[0].Rules.Routes = []authz.Route{{Sources: []identity.ServiceAccount{thief}}}
			c.shop.server.Configure(t, denying)
			if got := c.call(t, codes.OK); got != codes.PermissionDenied {
				t.Fatalf("a denied call gets %s", got)
			}
			path := grpc_testing.TestService_UnaryCall_FullMethodName
			c.awaitLog(t, "server", map[string]any{"path": path, "response_code": float64(200), "denied_by": "no policy"})
			c.awaitLog(t, "server", map[string]any{"path": path, "response_code": float64(200), "denied_by": ""})
			if got := c.client.Get(t, "http://"+webIP.String()+"/none"); got.Status != 403 {
				t.Fatalf("a denied request of HTTP gets %+v", got)
			}
			c.awaitLog(t, "server", map[string]any{"path": "/none", "response_code": float64(403), "denied_by": "no policy"})
		})
	}
}

// metricLines are the series of a metric as the sidecar reports them.
func metricLines(t *testing.T, p *pods.Pod, metric string) string {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(p.Admin(t, "/stats/prometheus"), "\n") {
		if strings.Contains(line, metric+"{") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
